"""Records to conversations, to token ids, to MindRecord."""
