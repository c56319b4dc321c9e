"""Finetuning through MindFormers' Trainer."""
