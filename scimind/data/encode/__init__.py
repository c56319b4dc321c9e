"""From conversations to prompts, token ids and rows of MindRecord files."""
