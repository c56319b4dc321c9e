"""Greedy search with backtracking: the most likely token that the rule accepts, and a way back from dead ends."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.closing import close
from scimind.generate.search.model import Draft, Found, NotFinite, Prefix, Problem, Search

_LATER_DRAFTS = 16  # tokens of a draft after the first one: more are often in vain


@dataclass
class _Place:
    """An accepted prefix and the tokens that were not tried after it.

    Attributes:
        ids: Its tokens.
        state: The rule's state.
        total: Its log-likelihood.
        regret: How much less likely it is than its most likely tokens would have made it: the sum over its tokens.
        log_probs: Of the next token [v]; empty until the model was asked.
        candidates: The tokens that may follow, the most likely first.
        taken: How many of them were tried.
    """

    ids: Prefix
    state: Any
    total: float
    regret: float = 0.0
    log_probs: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    candidates: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    taken: int = 0

    def learn(self, problem: Problem, log_probs: NDArray[np.float64]) -> None:
        """Keeps what the model says of the next token."""
        self.log_probs, self.candidates = log_probs, problem.candidates(log_probs)

    def take(self) -> int:
        """Returns the most likely token that was not taken yet; there must be one, see `next_regret`."""
        self.taken += 1
        return int(self.candidates[self.taken - 1])

    def regret_after(self, token: int) -> float:
        """Returns the regret of this prefix with one more token."""
        return self.regret + float(self.log_probs[self.candidates[0]] - self.log_probs[token])

    @property
    def next_regret(self) -> float | None:
        """The regret after the next token, None if none is left or it is impossible."""
        if self.taken == len(self.candidates) or self.log_probs[self.candidates[self.taken]] == -np.inf:
            return None
        return self.regret_after(self.candidates[self.taken])


class _Waiting:
    """Open prefixes: the one whose next token has the least regret comes first, the longest one on a tie."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, _Place]] = []
        self._order = count()

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, place: _Place) -> None:
        """Adds a prefix unless no token is left after it."""
        if (regret := place.next_regret) is not None:
            heapq.heappush(self._heap, (regret, -len(place.ids), next(self._order), place))

    def pop(self) -> _Place:
        """Removes and returns the first one."""
        return heapq.heappop(self._heap)[-1]


def greedy_search(problem: Problem, *, closes: bool = True) -> Search[Found | None]:
    """Returns the answer of the most likely tokens that the rule accepts.

    Each token is the most likely one that the rule accepts. Where it accepts none, the search goes back to the open
    prefix whose next token has the least regret, the longest on a tie, and goes there. When the budget of work
    ends, or nothing is open, the first path is completed or shortened, see `close`.

    Most tokens come from drafts, which cost one call for many: what a draft says is taken over up to the first token
    that the rule refuses. A decoder that does not draft leads to the same answer.

    Args:
        problem: The model and the rule.
        closes: Whether an answer may be completed or shortened.

    Returns:
        The answer; None if the rule accepts none with this lead within the limit, or none was found without `closes`.
    """
    problem.begin()
    root = yield from problem.root()
    if root is None:
        return None
    place = _Place(*root)
    first_path, is_first, is_new, most = place.ids, True, True, problem.limit + 1
    passed, waiting = list[_Place](), _Waiting()
    while problem.has_budget:
        if is_new:  # no token was tried after it
            reached = yield from _draft(problem, place, passed, most)
            if isinstance(reached, Found):
                return reached
            place, most = reached, _LATER_DRAFTS
            if not problem.has_budget:
                break
        following = yield from _follow(problem, place)
        if isinstance(following, Found):
            return following
        waiting.add(place)
        if following is not None:
            place, is_new = following, True
            first_path = place.ids if is_first else first_path
            continue
        is_first = False
        yield from _awake(problem, passed, waiting)
        if not waiting:
            break
        place, is_new = waiting.pop(), False
    return (yield from close(problem, first_path)) if closes else None


def _draft(problem: Problem, place: _Place, passed: list[_Place], most: int) -> Search[_Place | Found]:
    """Returns where a draft leads: to the answer, or to the last prefix before a refused token.

    Args:
        problem: The model and the rule.
        place: The prefix that it begins with.
        passed: Receives the prefixes that it passes through, whose first candidate is taken.
        most: Maximum number of tokens.
    """
    if problem.is_cut(place.ids):
        return problem.found(place.ids, place.state, place.total, "length")
    draft = yield Draft(place.ids, most)
    for token, log_prob in draft:
        if not math.isfinite(log_prob):
            raise NotFinite
        if not problem.has_budget:
            return place
        total = place.total + log_prob
        if token == problem.eos_id:
            if not problem.rule.accepts(place.state):
                return place
            problem.count([place.ids])
            return problem.found(place.ids, place.state, total)
        state = problem.extend(place.state, len(place.ids), token)
        if state is None:
            return place
        problem.count([place.ids])
        passed.append(place)
        place = _Place((*place.ids, token), state, total, place.regret)
        if problem.is_cut(place.ids):
            return problem.found(place.ids, place.state, place.total, "length")
    return place


def _follow(problem: Problem, place: _Place) -> Search[_Place | Found | None]:
    """Returns the prefix with the next token that is accepted, the answer if that is EOS, or None at a dead end."""
    if not len(place.log_probs):
        (log_probs,) = yield from problem.ask([place.ids])
        place.learn(problem, log_probs)
    while place.next_regret is not None:
        token = place.take()
        total = place.total + float(place.log_probs[token])
        if token == problem.eos_id:
            if problem.rule.accepts(place.state):
                return problem.found(place.ids, place.state, total)
            continue
        state = problem.extend(place.state, len(place.ids), token)
        if state is not None:
            return _Place((*place.ids, token), state, total, place.regret_after(token))
    return None


def _awake(problem: Problem, passed: list[_Place], waiting: _Waiting) -> Search[None]:
    """Opens the prefixes that drafts have passed through: asks what else may follow them."""
    if not passed:
        return
    found = yield from problem.ask([place.ids for place in passed], counted=False)
    for place, log_probs in zip(passed, found, strict=True):
        place.learn(problem, log_probs)
        place.take()
        waiting.add(place)
    passed.clear()
