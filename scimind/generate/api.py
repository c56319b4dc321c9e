"""Answers of a model in memory, prompt by prompt: the implementation of `SciMindForCausalLM.generate` on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from scimind.errors import ConfigError, SciMindError
from scimind.generate.decoders.choosing import decoder_of
from scimind.generate.decoders.protocols import CausalModel
from scimind.generate.loop import generate_batch
from scimind.generate.settings import GenerationSettings


def generate_ids(model: CausalModel, input_ids: Any, **settings: Any) -> list[np.ndarray]:
    """Returns each prompt followed by its answer; see `SciMindForCausalLM.generate`."""
    known = {field.name for field in fields(GenerationSettings)}
    unknown = sorted(set(settings) - known)
    if unknown:
        raise ConfigError(f"generate does not take {', '.join(unknown)}; it takes {', '.join(sorted(known))}")
    settings.setdefault("batch_size", model.config.batch_size)
    checked = GenerationSettings(**settings)
    config = model.config
    prompts = _as_lists(input_ids, config.pad_token_id)
    decoder = decoder_of(model)
    size = min(checked.batch_size, config.batch_size) if model.use_past else checked.batch_size
    answered = []
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        answers = generate_batch(
            decoder,
            batch,
            checked,
            eos_id=config.eos_token_id,
            vocab_size=config.real_vocab_size,
            pad_id=config.pad_token_id,
            streams=range(start, start + len(batch)),
        )
        for number, (prompt, answer) in enumerate(zip(batch, answers, strict=True), start):
            if answer.finish_reason == "error":
                raise SciMindError(f"prompt {number}: {answer.message}")
            end = [config.eos_token_id] if answer.finish_reason == "stop" else []
            answered.append(np.array([*prompt, *answer.ids, *end], np.int32))
    return answered


def _as_lists(input_ids: Any, pad_id: int) -> list[list[int]]:
    """Returns prompts as lists without trailing padding."""
    rows: Sequence[Any] = input_ids.asnumpy() if hasattr(input_ids, "asnumpy") else input_ids
    if len(rows) and np.ndim(rows[0]) == 0:
        rows = [rows]
    prompts = [[int(token) for token in row] for row in rows]
    for prompt in prompts:
        while prompt and prompt[-1] == pad_id:
            prompt.pop()
    return prompts
