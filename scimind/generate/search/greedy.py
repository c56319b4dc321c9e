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
_MOST_SHARES = 2  # budgets of a single answer that a search for several ones has
_PATIENCE = 4.0  # nats by which a path may be worse than another open prefix before the search goes there


@dataclass
class _Place:
    """An accepted prefix and the tokens that were not tried after it.

    Attributes:
        ids: Its tokens.
        state: The rule's state.
        total: Its log-likelihood.
        regret: How much less likely it is than its most likely tokens would have made it: the sum over its tokens.
        candidates: The tokens that may follow, the most likely first once they are ranked; None until the model was
            asked.
        log_probs: Their log-probabilities.
        is_ranked: Whether they are ranked.
        taken: How many of them were tried.
        is_counted: Whether the work for its next token is counted.
    """

    ids: Prefix
    state: Any
    total: float
    regret: float = 0.0
    candidates: NDArray[np.int64] | None = None
    log_probs: NDArray[np.floating] = field(default_factory=lambda: np.empty(0))
    is_ranked: bool = False
    taken: int = 0
    is_counted: bool = False

    def learn(self, tokens: NDArray[np.int64], log_probs: NDArray[np.floating]) -> None:
        """Keeps the log-probabilities of the tokens that may follow, in ascending order of tokens."""
        self.candidates, self.log_probs, self.is_ranked = tokens, log_probs, False

    def rank(self) -> None:
        """Sorts the tokens that may follow; only now, since most prefixes are never returned to."""
        if self.candidates is not None and not self.is_ranked:
            order = np.argsort(-self.log_probs, kind="stable")
            self.candidates, self.log_probs, self.is_ranked = self.candidates[order], self.log_probs[order], True

    def take(self) -> tuple[int, float]:
        """Returns the most likely token that was not taken yet, of which there must be one, and its log-probability."""
        self.rank()
        assert self.candidates is not None
        self.taken += 1
        return int(self.candidates[self.taken - 1]), float(self.log_probs[self.taken - 1])

    def regret_of(self, log_prob: float) -> float:
        """Returns the regret of this prefix with one more token of this log-probability."""
        return self.regret + float(self.log_probs[0]) - log_prob

    @property
    def next_regret(self) -> float | None:
        """The regret after the next token, None if none is left or it is impossible."""
        self.rank()
        if self.taken == len(self.log_probs) or self.log_probs[self.taken] == -np.inf:
            return None
        return self.regret_of(float(self.log_probs[self.taken]))


class _Waiting:
    """Open prefixes: the one whose next token has the least regret comes first, the longest one on a tie."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, _Place]] = []
        self._passed: list[_Place] = []  # their first candidates taken, the others not looked at
        self._asleep: list[_Place] = []  # their first candidates taken, the others unknown
        self._order = count()

    def __bool__(self) -> bool:
        self._settle()
        return bool(self._heap)

    def add(self, place: _Place) -> None:
        """Adds a prefix unless no token is left after it."""
        regret = place.regret if place.candidates is None else place.next_regret
        if regret is not None:
            heapq.heappush(self._heap, (regret, -len(place.ids), next(self._order), place))

    def pass_through(self, place: _Place) -> None:
        """Adds a prefix whose most likely token a draft has taken."""
        (self._asleep if place.candidates is None else self._passed).append(place)

    def awake(self, problem: Problem, bound: float) -> Search[None]:
        """Asks what else may follow the prefixes of drafts, if it may have less regret than `bound`."""
        if min((place.regret for place in self._asleep), default=bound) >= bound:
            return
        found = yield from problem.ask([place.ids for place in self._asleep], counted=False)
        for place, log_probs in zip(self._asleep, found, strict=True):
            tokens = problem.tokens(len(log_probs))
            place.learn(tokens, log_probs[tokens])
        self._passed += self._asleep
        self._asleep = []

    def has_less_regret(self, bound: float) -> bool:
        """Returns whether some prefix has less regret than `bound`."""
        self._settle()
        return bool(self._heap) and self._heap[0][0] < bound

    def pop(self) -> _Place:
        """Removes and returns the first one."""
        self._settle()
        return heapq.heappop(self._heap)[-1]

    def _settle(self) -> None:
        """Puts the prefixes that drafts have passed through among the others."""
        for place in self._passed:
            place.take()
            self.add(place)
        self._passed = []


def greedy_search(problem: Problem, *, number: int = 1, closes: bool = True) -> Search[list[Found]]:
    """Returns the answer of the most likely tokens that the rule accepts, or several answers.

    Each token is the most likely one that the rule accepts. Where it accepts none, or so unlikely ones that another
    open prefix has much less regret, the search goes to the open prefix whose next token has the least regret, the
    longest on a tie, and so it does for further answers. If it has found none when the budget of work ends or nothing
    is open, the first path is completed or shortened, see `close`.

    Most tokens come from drafts, which cost one call for many: what a draft says is taken over up to the first token
    that the rule refuses. A decoder that does not draft leads to the same answer.

    Args:
        problem: The model and the rule.
        number: Maximum number of answers with different keys. The budget of work is twice that of a single one.
        closes: Whether an answer may be completed or shortened.

    Returns:
        The answers in the order in which they were found, those with equal keys among them; none if the rule accepts
        none with this lead within the limit, or none was found without `closes`.
    """
    problem.begin(min(number, _MOST_SHARES))
    root = yield from problem.root()
    if root is None:
        return []
    place = _Place(*root)
    first_path, is_first, most = place.ids, True, problem.limit + 1
    waiting, answers = _Waiting(), list[Found]()
    while problem.has_budget:
        reached: _Place | Found = place
        if place.candidates is None:  # nothing was tried after it
            reached = yield from _draft(problem, place, waiting, most)
            most = _LATER_DRAFTS
        following: _Place | Found | None = reached
        bound = math.inf
        if isinstance(reached, _Place):
            place = reached
            first_path = place.ids if is_first else first_path
            if not (place.is_counted or problem.has_budget):
                break
            following = yield from _follow(problem, place)
            waiting.add(place)
        if isinstance(following, Found):
            answers.append(following)
            if len({answer.key for answer in answers}) == number:
                return answers
        elif following is not None:
            bound = following.regret - _PATIENCE
        yield from waiting.awake(problem, bound)
        if isinstance(following, _Place) and not waiting.has_less_regret(bound):
            place = following
            first_path = place.ids if is_first else first_path
            continue
        is_first = False
        if isinstance(following, _Place):
            waiting.add(following)
        if not waiting:
            break
        place = waiting.pop()
    if answers or not closes:
        return answers
    closed = yield from close(problem, first_path)
    return [] if closed is None else [closed]


def _draft(problem: Problem, place: _Place, waiting: _Waiting, most: int) -> Search[_Place | Found]:
    """Returns where a draft leads: to the answer, or to the last prefix before a refused token.

    Args:
        problem: The model and the rule.
        place: The prefix that it begins with.
        waiting: Receives the prefixes that it passes through.
        most: Maximum number of tokens.
    """
    if problem.is_cut(place.ids):
        return problem.found(place.ids, place.state, place.total, "length")
    while draft := (yield Draft(place.ids, most)):
        for token, log_prob, log_probs in draft:
            if not math.isfinite(log_prob):
                raise NotFinite
            if not problem.has_budget:
                return place
            problem.count([place.ids])
            place.is_counted = True
            if log_probs is not None:
                place.learn(problem.tokens(0), log_probs)
            total = place.total + log_prob
            is_end = token == problem.eos_id
            if is_end and problem.rule.accepts(place.state):
                waiting.pass_through(place)
                return problem.found(place.ids, place.state, total)
            state = None if is_end else problem.extend(place.state, len(place.ids), token)
            if state is None:
                return place
            waiting.pass_through(place)
            place = _Place((*place.ids, token), state, total, place.regret)
            if problem.is_cut(place.ids):
                return problem.found(place.ids, place.state, place.total, "length")
        most = _LATER_DRAFTS
    return place


def _follow(problem: Problem, place: _Place) -> Search[_Place | Found | None]:
    """Returns the prefix with the next token that is accepted, the answer if that is EOS, or None at a dead end."""
    if place.candidates is None:
        (log_probs,) = yield from problem.ask([place.ids], counted=not place.is_counted)
        tokens = problem.tokens(len(log_probs))
        place.learn(tokens, log_probs[tokens])
    while (regret := place.next_regret) is not None:
        token, log_prob = place.take()
        total = place.total + log_prob
        if token == problem.eos_id:
            if problem.rule.accepts(place.state):
                return problem.found(place.ids, place.state, total)
            continue
        state = problem.extend(place.state, len(place.ids), token)
        if state is not None:
            return _Place((*place.ids, token), state, total, regret)
    return None
