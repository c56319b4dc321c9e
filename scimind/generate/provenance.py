"""What the answers of a run depend on, so that answers of different runs are never mixed."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scimind.checkpoint.finding import find_checkpoint
from scimind.data.content.fields import FieldOptions
from scimind.errors import CheckpointError
from scimind.generate.answer_rules import AnswerRules
from scimind.generate.settings import GenerationSettings

_HASHED_WHOLE = 1 << 28  # bytes; larger files are sampled
_SAMPLE = 1 << 20


def run_notes(
    settings: GenerationSettings,
    tokenizer: str,
    checkpoint: str | Path | None,
    rules: AnswerRules | None = None,
    options: FieldOptions | None = None,
) -> dict[str, Any]:
    """Returns what the answers of a run depend on, apart from its prompts.

    Args:
        settings: How to generate.
        tokenizer: The tokenizer's fingerprint.
        checkpoint: File or folder of the weights; None or "" for a model with random weights.
        rules: How answers are obtained and read; None leaves them unchanged.
        options: How the fields of the task are read; see `read_prompts`.
    """
    notes: dict[str, Any] = asdict(settings)
    del notes["batch_size"]  # a run that ran out of memory may continue with a smaller one
    notes["tokenizer"] = tokenizer
    notes["checkpoint"] = checkpoint_digest(find_checkpoint(checkpoint).weights) if checkpoint else ""
    notes["task"] = rules.task.name if rules and rules.task else None
    notes["choices"] = list(rules.choices.texts) if rules and rules.choices else []
    read = options or FieldOptions()
    notes["molecules"] = read.molecules if notes["task"] else None
    notes["ambiguous"] = read.ambiguous if notes["task"] else None
    return notes


def checkpoint_digest(file: Path) -> str:
    """Returns a short hash of a weights file: of its content up to 256 MiB, of samples and its time of change above.

    Raises:
        CheckpointError: The file does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        facts = file.stat()
        sampled = facts.st_size > _HASHED_WHOLE
        digest.update(f"{facts.st_size} {facts.st_mtime_ns if sampled else ''}\n".encode())
        with file.open("rb") as stream:
            for start in range(0, facts.st_size, facts.st_size // 64 if sampled else _SAMPLE):
                stream.seek(start)
                digest.update(stream.read(_SAMPLE))
    except OSError as error:
        raise CheckpointError(f"{file}: checkpoint cannot be read ({error.strerror}); check load_checkpoint") from error
    return digest.hexdigest()[:16]
