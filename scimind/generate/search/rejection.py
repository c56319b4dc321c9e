"""Sampling of accepted answers by rejection: what the rule refuses is drawn anew, from the beginning.

Masking refused tokens while sampling would favour answers whose beginnings are rarely finished; rejection leaves the
model's distribution over accepted answers as it is. Source: Skinnider 2024, Nature Machine Intelligence 6, 437.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import Found, Problem

Draw = Callable[[NDArray[np.float64]], int]
"""Draws one token from log-probabilities [v], such as `sampling.sample` with a temperature and random numbers."""


def accepted_samples(problem: Problem, draw: Draw, attempts: int) -> Iterator[Found]:
    """Returns accepted answers, each as often as it is drawn.

    A sample ends as soon as the rule refuses it, or at the limit. The first step is only taken once: it is the same
    for every sample.

    Args:
        problem: The model and the rule.
        draw: The distribution and its random numbers.
        attempts: Number of samples, with the refused ones.
    """
    root = problem.root()
    if root is None:
        return
    first = problem.log_probs(root[0])
    for _ in range(attempts):
        found = _sample(problem, draw, root, first)
        if found is not None:
            yield found


def sample_answers(problem: Problem, draw: Draw, number: int) -> list[Found]:
    """Returns accepted answers that differ in their key, the most likely first.

    Args:
        problem: The model and the rule. At most `work` samples are drawn for each answer.
        draw: The distribution and its random numbers.
        number: Maximum number of answers, at least 1.

    Returns:
        1 … `number` answers, by descending log-likelihood. If no sample was accepted, the answer of `greedy_search`;
        none only if that has none.
    """
    found: dict[Hashable, Found] = {}
    for sample in accepted_samples(problem, draw, problem.work * number):
        known = found.get(sample.key)
        if known is None or known.log_likelihood < sample.log_likelihood:
            found[sample.key] = sample
        if len(found) == number:
            break
    if found:
        return sorted(found.values(), key=lambda answer: (-answer.log_likelihood, answer.ids))
    alone = greedy_search(problem)
    return [] if alone is None else [alone]


def _sample(
    problem: Problem, draw: Draw, root: tuple[tuple[int, ...], Any, float], first: NDArray[np.float64]
) -> Found | None:
    """Returns one sample that begins with the root, after which `first` follows; None if the rule refuses it."""
    ids, state, total = list(root[0]), root[1], root[2]
    log_probs = first
    while True:
        token = draw(log_probs)
        total += float(log_probs[token])
        if token == problem.eos_id:
            return problem.found(ids, state, total) if problem.rule.accepts(state) else None
        state = problem.extend(state, len(ids), token)
        if state is None:
            return None
        ids.append(token)
        log_probs = problem.log_probs(ids)
