"""Sampling of accepted answers by rejection: what the rule refuses is drawn anew, from the beginning.

Masking refused tokens while sampling would favour answers whose beginnings are rarely finished; rejection leaves the
model's distribution over accepted answers as it is. Source: Skinnider 2024, Nature Machine Intelligence 6, 437.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.model import Found, Prefix, Problem, Search

Draw = Callable[[NDArray[np.float64]], int]
"""Draws one token from log-probabilities [v], such as `sampling.sample` with a temperature and random numbers."""


class _Sampler:
    """Draws one answer after another, until one is accepted.

    Args:
        problem: The model and the rule.
        root: What every answer begins with, see `Problem.root`.
        first: Log-probabilities [v] after the root.
        draw: The distribution and its random numbers.
        attempts: Maximum number of answers.

    Attributes:
        ids: The answer so far.
        attempts: Number of answers that may still be begun.
        found: The accepted answer, None before and if there is none.
        is_done: Whether no more will be drawn.
    """

    def __init__(
        self,
        problem: Problem,
        root: tuple[Prefix, Any, float],
        first: NDArray[np.float64],
        draw: Draw,
        attempts: int,
    ) -> None:
        self._problem, self._root, self._first, self._draw = problem, root, first, draw
        self.ids, self._state, self._total = root
        self.attempts, self.is_done = attempts, False
        self.found: Found | None = None
        self._begin()

    def take(self, log_probs: NDArray[np.float64]) -> None:
        """Draws the next token; if the rule refuses it, the first one of a new answer."""
        if not self._add(log_probs):
            self._begin()

    def _begin(self) -> None:
        """Draws the first token of new answers until one is accepted."""
        while not self.is_done:
            if not self.attempts:
                self.is_done = True
                return
            self.attempts -= 1
            self.ids, self._state, self._total = self._root
            if self._add(self._first):
                return

    def _add(self, log_probs: NDArray[np.float64]) -> bool:
        """Draws a token; returns whether the rule accepts it."""
        problem, token = self._problem, self._draw(log_probs)
        self._total += float(log_probs[token])
        if token == problem.eos_id:
            if not problem.rule.accepts(self._state):
                return False
            self.found, self.is_done = problem.found(self.ids, self._state, self._total), True
            return True
        state = problem.extend(self._state, len(self.ids), token)
        if state is None:
            return False
        self.ids, self._state = (*self.ids, token), state
        if problem.is_cut(self.ids):
            self.found, self.is_done = problem.found(self.ids, state, self._total, "length"), True
        return True


def accepted_samples(problem: Problem, draws: Sequence[Draw], attempts: int) -> Search[tuple[list[Found], int]]:
    """Returns accepted answers, each as often as the model would give it if it gave no others.

    A sample ends as soon as the rule refuses it, or at the limit, and is begun again. The first step is only taken
    once: it is the same for every sample.

    Args:
        problem: The model and the rule.
        draws: The distribution and the random numbers of each answer.
        attempts: Maximum number of samples for each answer, with the refused ones.

    Returns:
        At most one answer for each of `draws`, in their order, and the number of samples.
    """
    root = yield from problem.root()
    if root is None:
        return [], 0
    (first,) = yield from problem.ask([root[0]])
    samplers = [_Sampler(problem, root, first, draw, attempts) for draw in draws]
    while going := [sampler for sampler in samplers if not sampler.is_done]:
        following = yield from problem.ask([sampler.ids for sampler in going])
        for sampler, log_probs in zip(going, following, strict=True):
            sampler.take(log_probs)
    made = sum(attempts - sampler.attempts for sampler in samplers)
    return [sampler.found for sampler in samplers if sampler.found is not None], made
