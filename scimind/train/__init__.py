"""Finetuning through MindFormers' Trainer."""

from scimind.train.finetune import FinetuneResult, evaluate, finetune

__all__ = ["FinetuneResult", "evaluate", "finetune"]
