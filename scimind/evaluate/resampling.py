"""Scores of a corpus from sums over its items, with bootstrap confidence intervals.

Most scores are a function of sums over numbers of the items: a mean, a ratio, BLEU, an F1. A resampled corpus
therefore needs no texts, only the sums weighted by how often each item was drawn. Those that depend on the order of
items, such as AUROC, are computed anew for each resampled corpus.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

# Number of resampled corpora whose counts are in memory at once.
_CHUNK = 50


@dataclass(frozen=True)
class Score:
    """A score of a corpus.

    Attributes:
        value: The score; None if it is not defined, such as a mean over nothing.
        low: Lower end of the confidence interval; None if none was computed.
        high: Upper end of the confidence interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Statistic:
    """How a score is computed from items.

    Attributes:
        columns: The items' numbers, [n, k]; a dense or a scipy sparse array.
        of_sums: Turns the columns' sums [..., k] into scores [...]; NaN where undefined.
    """

    columns: Any
    of_sums: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Resampling:
    """How confidence intervals are computed: by the percentile bootstrap over items.

    Attributes:
        samples: Number of resampled corpora; 0 computes no intervals.
        confidence: Share of them inside the interval, between 0 and 1.
        seed: Seed of the random draws.
    """

    samples: int = 1000
    confidence: float = 0.95
    seed: int = 0


def ratio(sums: np.ndarray) -> np.ndarray:
    """Returns the first of two sums divided by the second, NaN where that is 0: [..., 2] -> [...]."""
    numerator, denominator = sums[..., 0], sums[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def mean_of(values: Any, among: Any = None) -> Statistic:
    """Returns the mean of numbers [n], or of those that `among` [n] marks; the others must be finite too."""
    values = np.asarray(values, np.float64)
    chosen = np.ones_like(values) if among is None else np.asarray(among, np.float64)
    return Statistic(np.stack([np.where(chosen > 0, values, 0.0), chosen], axis=1), ratio)


def estimate(statistics: Mapping[str, Statistic], resampling: Resampling) -> dict[str, Score]:
    """Returns the scores of a corpus; all are resampled with the same draws.

    Args:
        statistics: The scores' statistics by name, all with the same number of items, at least one.
        resampling: How the intervals are computed.
    """
    names = list(statistics)
    if not names:
        return {}
    blocks = [sparse.csr_array(statistics[name].columns) for name in names]
    items = blocks[0].shape[0]
    table = sparse.csr_array(sparse.hstack(blocks))
    ends = np.cumsum([block.shape[1] for block in blocks])
    spans = dict(zip(names, zip(ends - [block.shape[1] for block in blocks], ends, strict=True), strict=True))
    whole = np.ones((1, items)) @ table
    values = {name: float(statistics[name].of_sums(whole[:, slice(*spans[name])])[0]) for name in names}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in names}
    draw = np.random.default_rng(resampling.seed)
    for start in range(0, resampling.samples, _CHUNK):
        rows = min(_CHUNK, resampling.samples - start)
        counts = np.stack([np.bincount(draw.integers(items, size=items), minlength=items) for _ in range(rows)])
        sums = counts.astype(np.float64) @ table
        for name in names:
            drawn[name].append(statistics[name].of_sums(sums[:, slice(*spans[name])]))
    outside = (1 - resampling.confidence) / 2
    scores = {}
    for name in names:
        samples = np.concatenate(drawn[name]) if drawn[name] else np.array([])
        samples = samples[np.isfinite(samples)]
        if not np.isfinite(values[name]):
            scores[name] = Score(None)
        elif not len(samples):
            scores[name] = Score(values[name])
        else:
            low, high = np.quantile(samples, [outside, 1 - outside])
            scores[name] = Score(values[name], float(low), float(high))
    return scores


def resample(function: Callable[[np.ndarray], float], items: int, resampling: Resampling) -> Score:
    """Returns a score that is not a function of sums, with its bootstrap interval.

    Args:
        function: Returns the score of the items with the given indices; NaN where undefined.
        items: Number of items.
        resampling: How the interval is computed.
    """
    value = function(np.arange(items))
    draw = np.random.default_rng(resampling.seed)
    drawn = np.array([function(draw.integers(items, size=items)) for _ in range(resampling.samples)])
    drawn = drawn[np.isfinite(drawn)] if len(drawn) else drawn
    if not math.isfinite(value):
        return Score(None)
    if not len(drawn):
        return Score(float(value))
    outside = (1 - resampling.confidence) / 2
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return Score(float(value), float(low), float(high))
