"""Greedy search with backtracking: the most likely token that the rule accepts, and a way back from dead ends."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.closing import close
from scimind.generate.search.model import Found, Problem


class _Prefix:
    """An accepted prefix and the tokens that were not tried after it. The model is asked when they are needed.

    Attributes:
        ids: Its tokens.
        state: The rule's state.
        total: Its log-likelihood.
        regret: How much less likely it is than its most likely tokens would have made it: the sum over its tokens.
    """

    def __init__(self, problem: Problem, ids: tuple[int, ...], state: Any, total: float, regret: float) -> None:
        self.ids, self.state, self.total, self.regret = ids, state, total, regret
        self._problem = problem
        self._taken = 0

    @cached_property
    def _log_probs(self) -> NDArray[np.float64]:
        return self._problem.log_probs(self.ids)

    @cached_property
    def _candidates(self) -> NDArray[np.int64]:
        return self._problem.candidates(self._log_probs)

    def take(self) -> int:
        """Returns the most likely token that was not taken yet; there must be one, see `next_regret`."""
        self._taken += 1
        return int(self._candidates[self._taken - 1])

    def likelihood(self, token: int) -> float:
        """Returns the log-probability of a token after this prefix."""
        return float(self._log_probs[token])

    def regret_after(self, token: int) -> float:
        """Returns the regret of this prefix with one more token."""
        return self.regret + float(self._log_probs.max() - self._log_probs[token])

    @property
    def next_regret(self) -> float | None:
        """The regret after the next token, None if none is left or it is impossible."""
        if self._taken == len(self._candidates):
            return None
        regret = self.regret_after(self._candidates[self._taken])
        return regret if regret < np.inf else None


def greedy_search(problem: Problem, draft: Sequence[tuple[int, float]] = ()) -> Found | None:
    """Returns the answer of the most likely tokens that the rule accepts.

    Each token is the most likely one that the rule accepts. Where it accepts none, the search goes back to the open
    prefix whose next token has the least regret, the longest on a tie, and goes there. When the budget of work
    ends, or nothing is open, the first path is completed or shortened, see `close`.

    Args:
        problem: The model and the rule.
        draft: The first tokens after the lead and their log-probabilities, as a decoder chooses them freely, each the
            most likely one, EOS perhaps the last. They are taken over up to the first that the rule refuses without
            asking the model again, and change nothing but the number of steps.

    Returns:
        The answer; None only if the rule accepts none with this lead within the limit.
    """
    problem.begin()
    root = problem.root()
    if root is None:
        return None
    asleep, place = _drafted(problem, _Prefix(problem, *root, regret=0.0), draft)
    if isinstance(place, Found):
        return place
    first_path, is_first = place.ids, True
    order, waiting = count(), list[tuple[float, int, int, _Prefix]]()

    def leave_open(prefix: _Prefix) -> None:
        if (regret := prefix.next_regret) is not None:
            heapq.heappush(waiting, (regret, -len(prefix.ids), next(order), prefix))

    while problem.has_budget:
        following = _follow(problem, place)
        if isinstance(following, Found):
            return following
        leave_open(place)
        if following is not None:
            place = following
            first_path = place.ids if is_first else first_path
            continue
        is_first = False
        for prefix in asleep:
            prefix.take()
            leave_open(prefix)
        asleep = []
        if not waiting:
            break
        place = heapq.heappop(waiting)[-1]
    return close(problem, first_path)


def _follow(problem: Problem, place: _Prefix) -> _Prefix | Found | None:
    """Returns the prefix with the next token that is accepted, the answer if that is EOS, or None at a dead end."""
    while place.next_regret is not None:
        token = place.take()
        total = place.total + place.likelihood(token)
        if token == problem.eos_id:
            if problem.rule.accepts(place.state):
                return problem.found(place.ids, place.state, total)
            continue
        state = problem.extend(place.state, len(place.ids), token)
        if state is not None:
            return _Prefix(problem, (*place.ids, token), state, total, place.regret_after(token))
    return None


def _drafted(
    problem: Problem, place: _Prefix, draft: Sequence[tuple[int, float]]
) -> tuple[list[_Prefix], _Prefix | Found]:
    """Returns the prefixes that a draft passes through, and where it ends: at a refused token, or as an answer."""
    passed: list[_Prefix] = []
    for token, log_prob in draft:
        total = place.total + log_prob
        if token == problem.eos_id:
            if problem.rule.accepts(place.state):
                return passed, problem.found(place.ids, place.state, total)
            break
        state = problem.extend(place.state, len(place.ids), token)
        if state is None:
            break
        passed.append(place)
        place = _Prefix(problem, (*place.ids, token), state, total, place.regret)
    return passed, place
