"""Finetuning through MindFormers' Trainer."""

from scimind import mindformers_log

# Before any module of this package imports MindFormers.
mindformers_log.use_temporary_folder()

from scimind.train.finetune import FinetuneResult, evaluate, finetune  # noqa: E402

__all__ = ["FinetuneResult", "evaluate", "finetune"]
