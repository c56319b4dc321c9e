"""The next token from a position's logits: greedy, or sampled with temperature, top-k and top-p.

Shapes: b batch, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scimind.generate.settings import GenerationSettings


def prompt_generator(seed: int, prompt: int, *stream: int) -> np.random.Generator:
    """Returns the random number generator of one prompt, or of one of several samples for it.

    Args:
        seed: The run's seed.
        prompt: The prompt's place in the input, from 0. The same text at two places gets different samples.
        *stream: The sample's number, from 0.
    """
    return np.random.default_rng([seed, prompt, *stream])


def next_tokens(
    logits: NDArray[np.floating],
    settings: GenerationSettings,
    *,
    vocab_size: int,
    generators: Sequence[np.random.Generator] = (),
    histories: Sequence[Sequence[int]] = (),
    never: Sequence[int] = (),
) -> NDArray[np.int32]:
    """Returns the next token of each row.

    Args:
        logits: [b, v], float. May be wider than the vocabulary if the embedding is padded.
        settings: Greedy or sampled, and how.
        vocab_size: Number of real tokens; columns from here on are never chosen.
        generators: One per row; each row draws one number per step. Needed only for sampling.
        histories: Ids of each row's prompt and answer so far. Needed only for a repetition penalty.
        never: Tokens that are never chosen.

    Returns:
        int32 [b]; -1 where a row has no finite largest logit, so that the caller can report that row.
    """
    scores = np.array(logits[:, :vocab_size], dtype=np.float64)
    usable = np.isfinite(scores.max(axis=1))  # NaN and +inf show in the maximum; a lone -inf is a masked token
    scores[~usable] = 0.0
    scores[:, list(never)] = -np.inf
    if settings.repetition_penalty != 1.0:
        for row, history in zip(scores, histories, strict=True):
            penalise_repetition(row, history, settings.repetition_penalty)
    if settings.do_sample:
        rows = zip(scores, generators, strict=True)
        chosen = np.array([sample(row, settings, generator.random()) for row, generator in rows], dtype=np.int32)
    else:
        chosen = scores.argmax(axis=1).astype(np.int32)  # the lower id wins a tie
    return np.where(usable, chosen, np.int32(-1))


def penalise_repetition(scores: NDArray[np.float64], history: Sequence[int], penalty: float) -> None:
    """Makes tokens that have already appeared less likely, in place.

    Args:
        scores: Logits of one row, [v].
        history: Ids that have already appeared; ids outside the vocabulary are ignored.
        penalty: Divides positive logits, multiplies negative ones.

    Source: Keskar et al. 2019, "CTRL", section 4.1.
    """
    seen = np.unique(np.asarray(history, dtype=np.int64))
    seen = seen[seen < len(scores)]
    scores[seen] = np.where(scores[seen] > 0, scores[seen] / penalty, scores[seen] * penalty)


def sample(scores: NDArray[np.float64], settings: GenerationSettings, uniform: float) -> int:
    """Returns one token of a row by inverting its cumulative distribution.

    Args:
        scores: Logits, [v].
        settings: Temperature, top-k and top-p are applied, in this order.
        uniform: A number in [0, 1).
    """
    if settings.top_k == 0 and settings.top_p == 1.0:  # all tokens, whose sum need not be 1
        ids, weights = None, np.exp((scores - scores.max()) / settings.temperature)
    else:
        ids, weights = candidates(scores, settings)
    cumulative = np.cumsum(weights)
    # The sum may fall short of 1 by rounding: scale the number, not the distribution.
    place = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    place = min(place, len(weights) - 1)
    return place if ids is None else int(ids[place])


def candidates(
    scores: NDArray[np.float64], settings: GenerationSettings
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the tokens that may be sampled and their probabilities.

    Args:
        scores: Logits, [v].
        settings: Temperature, top-k and top-p are applied, in this order.

    Returns:
        ids [n] and probabilities [n] that sum to 1, n ≥ 1. Most likely first where top-k or top-p is on (the lower id
        first on a tie), in id order otherwise.

    Source: top-p: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", equation 3.
    """
    scores = (scores - scores.max()) / settings.temperature  # the largest becomes 0, so that nothing overflows
    ids = np.arange(len(scores))
    if 0 < settings.top_k < len(scores):
        smallest = np.partition(scores, -settings.top_k)[-settings.top_k]
        ids = np.flatnonzero(scores >= smallest)  # may hold more than k on a tie
        ids = _most_likely_first(ids, scores)[: settings.top_k]
    weights = np.exp(scores[ids])
    probabilities = weights / weights.sum()
    if settings.top_p < 1.0:
        # Tokens below this share weigh less than 1 - top_p together: none is needed, and few remain to be sorted.
        likely = probabilities >= (1.0 - settings.top_p) / len(ids)
        ids = _most_likely_first(ids[likely], scores)
        shares = np.exp(scores[ids]) / weights.sum()
        kept = int(np.searchsorted(np.cumsum(shares), settings.top_p, side="left")) + 1
        ids, probabilities = ids[:kept], shares[:kept] / shares[:kept].sum()
    return ids, probabilities


def _most_likely_first(ids: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns `ids`, given in ascending order, by descending score; a stable sort keeps the lower id first on a tie."""
    return ids[np.argsort(-scores[ids], kind="stable")]
