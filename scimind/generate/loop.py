"""Answers to one batch of prompts, token by token, from any decoder that computes the next token's logits.

Shapes: b rows of the batch (padded to a bucket), s positions of the longest prompt (padded to a bucket), v vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from scimind.errors import ConfigError
from scimind.generate.batch import BatchRow, Generated, RunningBatch
from scimind.generate.buckets import batch_buckets, bucket_for, length_buckets
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.sampling import prompt_generator
from scimind.generate.settings import GenerationSettings


def prompt_fault(length: int, max_length: int) -> str:
    """Returns why a prompt cannot be answered, or "" if it can.

    Args:
        length: The prompt's number of tokens.
        max_length: The model's number of positions.
    """
    if length == 0:
        return "the prompt is empty"
    if length >= max_length:
        return (
            f"prompt length ({length} tokens) leaves no room for an answer in the model's seq_length ({max_length}); "
            "shorten the prompt or use a model with a longer seq_length"
        )
    return ""


def generate_batch(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    eos_id: int,
    vocab_size: int,
    pad_id: int | None = None,
    streams: Sequence[int] | None = None,
    rows: int | None = None,
    shrink_to: Sequence[int] = (),
    on_step: Callable[[int], None] | None = None,
) -> list[Generated]:
    """Answers a batch of prompts.

    Args:
        decoder: The model.
        prompts: Token ids of each prompt. One that is empty or too long for the model gets the reason "error"; the
            others are answered.
        settings: Greedy or sampled, maximum answer length. Its `batch_size` bounds the number of prompts.
        eos_id: The token that ends an answer.
        vocab_size: Number of real tokens; the padding rows after them are never generated.
        pad_id: Padding, which is never generated: attention masks it, so that it would be read differently with and
            without a cache. None if every token may be generated.
        streams: Number of each prompt's random stream; its place in the batch by default.
        rows: Rows to run the decoder with, at least the number of prompts; a power of two by default.
        shrink_to: Numbers of rows, ascending, to which the batch may shrink as rows finish. Each may cost a graph.
        on_step: Called after each step, or after several that the decoder takes at once, with the number of tokens
            that they generated.

    Returns:
        One answer per prompt, in the same order.

    Raises:
        ConfigError: There are more prompts than `settings.batch_size` or `rows`.
    """
    if len(prompts) > settings.batch_size:
        raise ConfigError(f"batch ({len(prompts)} prompts) exceeds batch_size ({settings.batch_size}); split it")
    answers = [Generated() for _ in prompts]
    for answer, prompt in zip(answers, prompts, strict=True):
        answer.message = prompt_fault(len(prompt), decoder.max_length)
        if answer.message:
            answer.finish_reason = "error"
    live = [index for index, answer in enumerate(answers) if not answer.message]
    if not live:
        return answers
    rows = bucket_for(len(live), batch_buckets(settings.batch_size)) if rows is None else rows
    if rows < len(live):
        raise ConfigError(f"rows ({rows}) must be at least the number of prompts ({len(live)})")

    ids, lengths = pad_prompts([prompts[index] for index in live], rows, length_buckets(decoder.max_length))
    numbers = range(len(prompts)) if streams is None else streams
    going = [
        BatchRow(
            prompt=prompts[index],
            answer=answers[index],
            limit=min(settings.longest_answer, decoder.max_length - len(prompts[index])),
            generator=prompt_generator(settings.seed, numbers[index]),
        )
        for index in live
    ]
    batch = RunningBatch(
        decoder,
        going,
        settings,
        eos_id=eos_id,
        vocab_size=vocab_size,
        never=() if pad_id is None else (pad_id,),
        shrink_to=shrink_to,
    )
    batch.run(ids, lengths, on_step)
    return answers


def pad_prompts(
    prompts: Sequence[Sequence[int]], rows: int, lengths: Sequence[int]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Returns prompts as one array of a bucket's shape.

    Args:
        prompts: Token ids of each prompt, none of them empty.
        rows: Rows of the array; those without a prompt hold the first prompt's first token.
        lengths: Buckets of the second axis.

    Returns:
        ids int32 [rows, bucket], right-padded with 0, and each row's length, int32 [rows].
    """
    padded = [*prompts, *([prompts[0][:1]] * (rows - len(prompts)))]
    counts = np.array([len(prompt) for prompt in padded], dtype=np.int32)
    ids = np.zeros((rows, bucket_for(int(counts.max()), lengths)), dtype=np.int32)
    for row, prompt in zip(ids, padded, strict=True):
        row[: len(prompt)] = prompt
    return ids, counts
