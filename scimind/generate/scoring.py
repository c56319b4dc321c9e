"""The log-likelihoods of given answers to prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError
from scimind.generate.buckets import batch_buckets, bucket_for, length_buckets
from scimind.generate.choices import log_probabilities
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.loop import pad_prompts, prompt_fault


def score_answers(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    vocab_size: int,
    batch_size: int,
) -> NDArray[np.float64]:
    """Returns the log-likelihood of each answer after its prompt, in nats, float64 [n].

    Args:
        decoder: The model.
        prompts: Token ids of each prompt.
        answers: Token ids of each answer, EOS included.
        vocab_size: Number of real tokens.
        batch_size: Most rows of a batch.

    Raises:
        SciMindError: A prompt with its answer is too long, or the model's logits are not finite.
    """
    for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        fault = prompt_fault(len(prompt), decoder.max_length)
        if not fault and len(prompt) + len(answer) - 1 > decoder.max_length:
            fault = (
                f"prompt ({len(prompt)} tokens) and answer ({len(answer) - 1}) are longer than the model's seq_length "
                f"({decoder.max_length}); shorten them"
            )
        if fault:
            raise SciMindError(f"pair {number}: {fault}")
    scores = np.zeros(len(prompts))
    order = sorted(range(len(prompts)), key=lambda index: (len(answers[index]), len(prompts[index])))
    rows = bucket_for(min(len(order), batch_size), batch_buckets(batch_size))
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        found = _score_batch(decoder, [prompts[i] for i in chosen], [answers[i] for i in chosen], vocab_size, rows)
        scores[chosen] = found
    if not np.isfinite(scores).all():
        raise SciMindError("the model's logits are not finite numbers; check its weights and its compute type")
    return scores


def _score_batch(
    decoder: Decoder, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], vocab_size: int, rows: int
) -> NDArray[np.float64]:
    """Returns the log-likelihoods of one batch; a row whose answer has ended repeats its last token before EOS."""
    ids, lengths = pad_prompts(prompts, rows, length_buckets(decoder.max_length))
    sizes = np.array([len(answer) for answer in answers])
    forced = np.zeros((rows, sizes.max()), np.int32)
    for number, answer in enumerate(answers):
        forced[number, : len(answer)] = answer
    ends = np.maximum([*(sizes - 2), *[0] * (rows - len(sizes))], 0)  # [rows], place of each row's last such token
    scores, each = np.zeros(len(prompts)), np.arange(rows)
    logits = decoder.prefill(ids, lengths)
    for place in range(int(sizes.max())):
        if place:
            last = np.minimum(place - 1, ends)
            logits = decoder.step(forced[each, last], lengths + last.astype(np.int32))
        going = np.flatnonzero(place < sizes)
        scores[going] += log_probabilities(logits[going], vocab_size)[np.arange(len(going)), forced[going, place]]
    return scores
