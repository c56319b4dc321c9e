"""Finetuning through MindFormers' Trainer."""

from scimind.runtime import mindformers_log

# Before any module of this package imports MindFormers.
mindformers_log.use_temporary_folder()

from scimind.train.finetune import evaluate, finetune  # noqa: E402
from scimind.train.result import FinetuneResult  # noqa: E402

__all__ = ["FinetuneResult", "evaluate", "finetune"]
