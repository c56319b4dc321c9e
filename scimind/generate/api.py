"""Answers of a model in memory, prompt by prompt: the implementation of `SciMindForCausalLM.generate` on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from scimind.data.tasks.task import Task
from scimind.errors import ConfigError, SciMindError
from scimind.generate.answer_rules import read_rules
from scimind.generate.answer_search import AnswerSearch
from scimind.generate.decoders.choosing import decoder_of
from scimind.generate.decoders.protocols import CausalModel, Decoder
from scimind.generate.loop import generate_batch
from scimind.generate.search_batch import rows_for
from scimind.generate.settings import GenerationSettings
from scimind.generate.validity.rule import AnswerRule
from scimind.generate.wanted_answers import search_for
from scimind.tokenizer import TokenCodec

_OF_SEARCH = (
    *("valid", "num_return_sequences", "num_beams", "samples_per_prompt", "rank_by", "where", "prefix"),
    *("min_sequence_length", "max_sequence_length", "reading_frame"),
)  # settings that only a search follows


def generate_ids(
    model: CausalModel,
    input_ids: Any,
    *,
    task: str | Path | Task | None = None,
    codec: TokenCodec | None = None,
    rule: AnswerRule | None = None,
    **settings: Any,
) -> list[Any]:
    """Returns each prompt followed by its answer, or by each of its answers; see `SciMindForCausalLM.generate`."""
    known = {field.name for field in fields(GenerationSettings)}
    unknown = sorted(set(settings) - known)
    if unknown:
        names = sorted({*known, "task", "codec", "rule"})
        raise ConfigError(f"generate does not take {', '.join(unknown)}; it takes {', '.join(names)}")
    settings.setdefault("batch_size", model.config.batch_size)
    checked = GenerationSettings(**settings)
    prompts = _as_lists(input_ids, model.config.pad_token_id)
    search = _search(model, checked, task, codec, rule)
    decoder = decoder_of(model)
    if search is None:
        return _decoded(model, decoder, prompts, checked)
    return _searched(model, decoder, prompts, search)


def _search(
    model: CausalModel,
    settings: GenerationSettings,
    task: str | Path | Task | None,
    codec: TokenCodec | None,
    rule: AnswerRule | None,
) -> AnswerSearch | None:
    """Returns how answers are searched for; None if each is simply decoded.

    Raises:
        ConfigError: The settings do not fit, or the tokenizer is not the model's.
    """
    plain = GenerationSettings(seed=settings.seed, batch_size=settings.batch_size)
    searching = [getattr(settings, name) != getattr(plain, name) for name in _OF_SEARCH]
    if task is None and rule is None and not any(searching):
        return None
    codec = TokenCodec() if codec is None else codec
    if codec.vocab_size != model.config.real_vocab_size:
        raise ConfigError(
            f"the tokenizer has {codec.vocab_size} tokens, and the model {model.config.real_vocab_size}; give the "
            "model's tokenizer as codec"
        )
    return search_for(settings, codec, read_rules(codec, task), rule)


def _decoded(
    model: CausalModel, decoder: Decoder, prompts: Sequence[Sequence[int]], settings: GenerationSettings
) -> list[np.ndarray]:
    """Returns each prompt followed by its answer."""
    config = model.config
    size = min(settings.batch_size, config.batch_size) if model.use_past else settings.batch_size
    answered = []
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        answers = generate_batch(
            decoder,
            batch,
            settings,
            eos_id=config.eos_token_id,
            vocab_size=config.real_vocab_size,
            pad_id=config.pad_token_id,
            streams=range(start, start + len(batch)),
        )
        for number, (prompt, answer) in enumerate(zip(batch, answers, strict=True), start):
            if answer.finish_reason == "error":
                raise SciMindError(f"prompt {number}: {answer.message}")
            answered.append(_whole(prompt, answer.ids, answer.finish_reason, config.eos_token_id))
    return answered


def _searched(
    model: CausalModel, decoder: Decoder, prompts: Sequence[Sequence[int]], search: AnswerSearch
) -> list[Any]:
    """Returns each prompt followed by its answer, or a list of such arrays for each if several were asked for."""
    size, answered = search.prompts_of_a_batch(decoder), list[Any]()
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        numbers = range(start, start + len(batch))
        found = search.answer(decoder, batch, numbers=numbers, leads=[()] * len(batch), rows=rows_for(len(batch), size))
        for number, prompt, one in zip(numbers, batch, found, strict=True):
            if one.is_fault:
                raise SciMindError(f"prompt {number}: {one.message}")
            wholes = [
                _whole(prompt, answer.ids, answer.finish_reason, model.config.eos_token_id)
                for answer in one.answers.found
            ]
            if search.settings.num_return_sequences > 1:
                answered.append(wholes)
            elif wholes:
                answered.append(wholes[0])
            else:
                raise SciMindError(f"prompt {number}: {one.message}")
    return answered


def _whole(prompt: Sequence[int], ids: Sequence[int], reason: str, eos_id: int) -> np.ndarray:
    return np.array([*prompt, *ids, *([eos_id] if reason not in ("length", "error") else [])], np.int32)


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
