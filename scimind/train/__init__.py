"""Finetuning through MindFormers' Trainer."""

from scimind.train.finetune import evaluate, finetune
from scimind.train.result import FinetuneResult

__all__ = ["FinetuneResult", "evaluate", "finetune"]
