"""Sampling of accepted answers by rejection: what the rule refuses is drawn anew, from the beginning.

Masking refused tokens while sampling would favour answers whose beginnings are rarely finished; rejection leaves the
model's distribution over accepted answers as it is. Source: Skinnider 2024, Nature Machine Intelligence 6, 437.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.model import Found, Prefix, Problem, Search

Draw = Callable[[NDArray[np.floating]], int]
"""Draws one token from log-probabilities [v], such as `sampling.sample` with a temperature and random numbers."""


class _Sample:
    """An answer that is being drawn.

    Args:
        problem: The model and the rule.
        root: What every answer begins with, see `Problem.root`.
        draw: The distribution and its random numbers.

    Attributes:
        ids: The answer so far.
        found: The answer, None before it is accepted.
        is_done: Whether it has ended, accepted or refused.
    """

    def __init__(self, problem: Problem, root: tuple[Prefix, Any, float], draw: Draw) -> None:
        self._problem, self._draw = problem, draw
        self.ids, self._state, self._total = root
        self.found: Found | None = None
        self.is_done = False

    def take(self, log_probs: NDArray[np.floating]) -> None:
        """Draws the next token."""
        problem, token = self._problem, self._draw(log_probs)
        self._total += float(log_probs[token])
        if token == problem.eos_id:
            self.is_done = True
            if problem.rule.accepts(self._state):
                self.found = problem.found(self.ids, self._state, self._total)
            return
        state = problem.extend(self._state, len(self.ids), token)
        if state is None:
            self.is_done = True
            return
        self.ids, self._state = (*self.ids, token), state
        if problem.is_cut(self.ids):
            self.found, self.is_done = problem.found(self.ids, state, self._total, "length"), True


def accepted_samples(
    problem: Problem, draw: Callable[[int], Draw], numbers: range, wanted: int, at_a_time: int
) -> Search[tuple[list[Found], int]]:
    """Returns accepted answers, each as often as the model would give it if it gave no others.

    Samples are numbered, and the first accepted ones count, whatever the order in which they end: short ones end early
    and would otherwise be favoured. A sample ends as soon as the rule refuses it, or at the limit, and the next one
    takes its place. The first step is only taken once: it is the same for every sample.

    Args:
        problem: The model and the rule.
        draw: Returns the distribution and the random numbers of a sample, given its number.
        numbers: The numbers of the samples that may be drawn.
        wanted: Number of accepted answers, at least 1.
        at_a_time: Number of samples that are drawn together; the result does not depend on it.

    Returns:
        At most `wanted` answers, in the order of their numbers, and how many samples were drawn for them.
    """
    root = yield from problem.root()
    if root is None or not numbers:
        return [], 0
    (first,) = yield from problem.ask([root[0]])
    open_samples = deque[_Sample]()  # in order: the first one has not ended
    accepted, begun, settled = list[Found](), 0, 0
    while True:
        going = [sample for sample in open_samples if not sample.is_done]
        while len(going) < at_a_time and begun < len(numbers):
            sample = _Sample(problem, root, draw(numbers[begun]))
            begun += 1
            open_samples.append(sample)
            sample.take(first)
            if not sample.is_done:
                going.append(sample)
        while open_samples and open_samples[0].is_done:
            ended = open_samples.popleft()
            settled += 1
            if ended.found is not None:
                accepted.append(ended.found)
            if len(accepted) == wanted:
                return accepted, settled
        if not going:
            return accepted, settled
        following = yield from problem.ask([sample.ids for sample in going])
        for sample, log_probs in zip(going, following, strict=True):
            sample.take(log_probs)
