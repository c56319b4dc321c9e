"""The answers to one prompt: how they are searched for, which of them count, and in which order they come."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from scimind.generate.search.beam import BeamSettings, beam_search
from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import ATTEMPTS, Found, Problem, Search
from scimind.generate.search.rejection import Draw, accepted_samples

Ranking = Literal["likelihood", "votes"]


@dataclass(frozen=True)
class Plan:
    """How the answers to a prompt are obtained.

    Attributes:
        number: How many distinct answers are wanted, at least 1.
        beams: Settings of beam search; None for greedy search, or for sampling if there are samples.
        samples: Number of accepted samples that are wanted; 0 for none.
        draws: Maximum number of samples that are drawn for them.
        draw: Returns the distribution and the random numbers of a sample, given its number from 0.
        rank_by: "likelihood" of the likeliest spelling, or "votes": the sum over all spellings that were found. A
            function gives each answer a number instead, the largest first.
        unmet: Returns the conditions that an answer does not fulfil, by its key; None if there are none.
        closes: Whether an answer may be completed or shortened where the search finds none within its budget.
        at_a_time: Samples that are drawn together until enough answers fulfil the conditions.
        ends_without: Whether there is no answer, and not that of a greedy search, if no beam or sample is accepted.
    """

    number: int
    draw: Callable[[int], Draw]
    beams: BeamSettings | None = None
    samples: int = 0
    draws: int = 0
    rank_by: Ranking | Callable[[Hashable], float] = "likelihood"
    unmet: Callable[[Hashable], Sequence[str]] | None = None
    closes: bool = True
    at_a_time: int = 4
    ends_without: bool = False


@dataclass
class Answers:
    """The answers to a prompt.

    Attributes:
        found: Distinct answers, the best first; empty if the rule accepts none or the conditions fit none.
        votes: Logarithm of the summed likelihoods of the spellings that were found, by key, in nats.
        made: Number of accepted answers that were made, all spellings among them.
        distinct: Number of different ones among them.
        fallen: How many distinct answers did not fulfil each condition.
    """

    found: list[Found] = field(default_factory=list)
    votes: dict[Hashable, float] = field(default_factory=dict)
    made: int = 0
    distinct: int = 0
    fallen: Counter[str] = field(default_factory=Counter)


def search_answers(problem: Problem, plan: Plan) -> Search[Answers]:
    """Returns the answers to a prompt.

    If fewer fulfil the conditions than are wanted, samples are drawn until enough do, at most `ATTEMPTS` for each
    wanted answer.
    """
    ranked, spellings, begun = yield from _first_answers(problem, plan)
    pool = _Pool(plan)
    pool.add(spellings)
    if plan.unmet is not None:
        most = begun + ATTEMPTS * plan.number
        while len(pool.fitting) < plan.number and begun < most:
            more, made = yield from accepted_samples(
                problem, plan.draw, range(begun, most), plan.number - len(pool.fitting), plan.at_a_time
            )
            pool.add(more)
            begun += made
    return pool.answers([found.key for found in ranked])


def _first_answers(problem: Problem, plan: Plan) -> Search[tuple[list[Found], list[Found], int]]:
    """Returns answers, ranked, all spellings that were found, and how many samples were drawn for them.

    There is at least one answer if there can be one, unless the plan ends without.
    """
    ranked, spellings, begun = list[Found](), list[Found](), 0
    if plan.beams is not None:
        ranked, spellings = yield from beam_search(problem, plan.beams)
        if len(ranked) >= plan.number:
            return ranked, spellings, 0
    elif plan.samples:
        numbers = range(plan.draws)
        spellings, begun = yield from accepted_samples(problem, plan.draw, numbers, plan.samples, plan.at_a_time)
    if plan.ends_without and not spellings:
        return [], [], begun
    if not spellings or plan.beams is not None and len(ranked) < plan.number:
        spellings += yield from greedy_search(problem, number=plan.number, closes=plan.closes and not spellings)
    if plan.beams is not None and ranked:
        return ranked, spellings, 0
    return _by_likelihood(spellings), spellings, begun


def _by_likelihood(found: Iterable[Found]) -> list[Found]:
    return sorted(found, key=lambda one: (-one.log_likelihood, one.ids))


class _Pool:
    """All answers that were found to a prompt, by key."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made = 0
        self._spellings: dict[Hashable, dict[tuple[int, ...], Found]] = {}
        self._fallen: Counter[str] = Counter()
        self.fitting: list[Hashable] = []

    def add(self, found: Iterable[Found]) -> None:
        """Adds answers and judges those that are new."""
        for answer in found:
            self._made += 1
            if answer.key not in self._spellings:
                unmet = () if self._plan.unmet is None else self._plan.unmet(answer.key)
                self._fallen.update(unmet)
                if not unmet:
                    self.fitting.append(answer.key)
            self._spellings.setdefault(answer.key, {}).setdefault(answer.ids, answer)

    def answers(self, ranking: Sequence[Hashable]) -> Answers:
        """Returns the best of those that fit.

        Args:
            ranking: Keys in the order of a search, with which likelihoods are ranked; others follow.
        """
        votes = {key: _logarithm_of_sum(found.values()) for key, found in self._spellings.items()}
        best = {key: max(found.values(), key=lambda one: one.log_likelihood) for key, found in self._spellings.items()}
        places = {key: place for place, key in reversed(list(enumerate(ranking)))}
        rank_by = self._plan.rank_by

        def order(key: Hashable) -> tuple[float, float, float]:
            first: float = places.get(key, len(places))
            if callable(rank_by):
                measure = rank_by(key)
                first = math.inf if math.isnan(measure) else -measure
            elif rank_by == "votes":
                first = -votes[key]
            return first, places.get(key, len(places)), -best[key].log_likelihood

        chosen = sorted(self.fitting, key=order)[: self._plan.number]
        kept = {key: votes[key] for key in chosen}
        return Answers([best[key] for key in chosen], kept, self._made, len(best), self._fallen)


def _logarithm_of_sum(found: Iterable[Found]) -> float:
    return float(np.logaddexp.reduce([answer.log_likelihood for answer in found]))
