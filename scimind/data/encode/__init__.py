"""Conversations to prompts, token ids and rows of MindRecord."""
