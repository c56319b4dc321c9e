"""Beam search over accepted prefixes, also in diverse groups: several answers of one prompt.

The same as in transformers with `early_stopping="never"`: a beam's candidates are ranked by log-likelihood, finished
answers by log-likelihood / (tokens, EOS included) ** length_penalty. The rule removes candidates; it does not change
likelihoods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from scimind.errors import ConfigError
from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import Found, Problem


@dataclass(frozen=True)
class BeamSettings:
    """Settings of beam search, with the names that they have in transformers.

    Args:
        num_beams: Number of beams, at least 1; with 1 the search is greedy.
        length_penalty: Exponent of the length by which the log-likelihood is divided to rank answers; 0 ranks by the
            log-likelihood, larger values favour longer answers.
        num_beam_groups: Number of groups that the beams are divided into; must divide `num_beams`.
        diversity_penalty: Subtracted from a token's log-likelihood for every beam of an earlier group that has chosen
            the same token in this step; at least 0, and above 0 only if there are groups.

    Raises:
        ConfigError: A value breaks its rule.

    Source of the groups: Vijayakumar et al. 2018, "Diverse Beam Search", algorithm 1.
    """

    num_beams: int = 4
    length_penalty: float = 1.0
    num_beam_groups: int = 1
    diversity_penalty: float = 0.0

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.num_beams < 1:
            raise ConfigError(f"num_beams ({self.num_beams}) must be at least 1")
        if self.num_beam_groups < 1 or self.num_beams % self.num_beam_groups:
            raise ConfigError(f"num_beam_groups ({self.num_beam_groups}) must divide num_beams ({self.num_beams})")
        if self.diversity_penalty < 0:
            raise ConfigError(f"diversity_penalty ({self.diversity_penalty}) must be at least 0")
        if self.diversity_penalty and self.num_beam_groups == 1:
            raise ConfigError(
                f"diversity_penalty ({self.diversity_penalty}) needs num_beam_groups above 1; set it, or leave the "
                "penalty out"
            )


class _Beam(NamedTuple):
    """An accepted prefix: its tokens, the rule's state, its log-likelihood, and its score, which has penalties."""

    ids: tuple[int, ...]
    state: Any
    total: float
    score: float


class _Candidate(NamedTuple):
    """A beam with one more token, which may be EOS."""

    score: float
    beam: int
    token: int
    total: float


@dataclass
class _Group:
    """The beams that are searched together, and their finished answers."""

    size: int
    beams: list[_Beam]
    finished: dict[Any, tuple[float, Found]] = field(default_factory=dict)

    def finish(self, found: Found, score: float) -> None:
        """Keeps the best answers, one for each key."""
        known = self.finished.get(found.key)
        if known is None or known[0] < score:
            self.finished[found.key] = (score, found)
        if len(self.finished) > self.size:
            worst = min(self.finished, key=lambda key: self.finished[key][0])
            del self.finished[worst]

    def is_done(self, limit: int, length_penalty: float) -> bool:
        """Returns whether no beam can lead to an answer that is better than the worst finished one."""
        if not self.beams:
            return True
        if len(self.finished) < self.size:
            return False
        worst = min(score for score, _ in self.finished.values())
        length = limit + 1 if length_penalty > 0 else len(self.beams[0].ids) + 1
        return worst >= self.beams[0].score / length**length_penalty


def beam_search(problem: Problem, settings: BeamSettings, number: int = 1) -> list[Found]:
    """Returns several answers that differ in their key, the best first.

    Args:
        problem: The model and the rule. Its budget of work is meant for one answer, and is multiplied by `num_beams`.
        settings: The settings.
        number: Maximum number of answers, at most `num_beams`.

    Returns:
        1 … `number` answers, ranked as described above; none only if the rule accepts none within the limit.

    Raises:
        ConfigError: `number` exceeds the number of beams.
    """
    if not 1 <= number <= settings.num_beams:
        raise ConfigError(f"number of answers ({number}) must be in 1 … num_beams ({settings.num_beams})")
    if settings.num_beams > 1:
        answers = _search_groups(problem, settings)
        if answers:
            return answers[:number]
    alone = greedy_search(problem)
    return [] if alone is None else [alone]


def _search_groups(problem: Problem, settings: BeamSettings) -> list[Found]:
    """Returns the finished answers of all groups, each key once."""
    size = settings.num_beams // settings.num_beam_groups
    problem.begin(settings.num_beams)
    root = problem.root()
    if root is None:
        return []
    first = _Beam(*root, score=root[-1])
    groups = [_Group(size, [first]) for _ in range(settings.num_beam_groups)]
    while problem.has_budget:
        chosen: Counter[int] = Counter()  # tokens of earlier groups in this step
        for group in groups:
            if not group.is_done(problem.limit, settings.length_penalty):
                _advance(problem, group, settings, chosen)
        if all(group.is_done(problem.limit, settings.length_penalty) for group in groups):
            break
    merged = _Group(settings.num_beams, [])
    for group in groups:
        for score, found in group.finished.values():
            merged.finish(found, score)
    ranked = sorted(merged.finished.values(), key=lambda pair: (-pair[0], pair[1].ids))
    return [found for _, found in ranked]


def _advance(problem: Problem, group: _Group, settings: BeamSettings, chosen: Counter[int]) -> None:
    """Replaces a group's beams by the best ones that are one token longer."""
    beams, rank = list[_Beam](), 0
    for candidate in _ranked(problem, group.beams, settings.diversity_penalty, chosen):
        beam = group.beams[candidate.beam]
        if candidate.token == problem.eos_id:
            if not problem.rule.accepts(beam.state):
                continue
            if rank < group.size:  # one that ranks lower would not have been followed either
                found = problem.found(beam.ids, beam.state, candidate.total)
                group.finish(found, candidate.score / (len(beam.ids) + 1) ** settings.length_penalty)
        else:
            state = problem.extend(beam.state, len(beam.ids), candidate.token)
            if state is None:
                continue
            beams.append(_Beam((*beam.ids, candidate.token), state, candidate.total, candidate.score))
        rank += 1
        if len(beams) == group.size:
            break
    group.beams = beams
    chosen.update(beam.ids[-1] for beam in beams)


def _ranked(
    problem: Problem, beams: list[_Beam], diversity_penalty: float, chosen: Counter[int]
) -> Iterator[_Candidate]:
    """Returns every token after every beam, the best first; on a tie the earlier beam and the lower id."""
    log_probs = np.stack([problem.log_probs(beam.ids) for beam in beams])  # [beams, v]
    tokens = problem.tokens(log_probs.shape[1])
    penalties = diversity_penalty * np.array([chosen[token] for token in tokens.tolist()])
    log_probs = log_probs[:, tokens]
    scores = np.array([beam.score for beam in beams])[:, None] + log_probs - penalties
    for place in np.argsort(-scores, axis=None, kind="stable"):
        number, column = divmod(int(place), len(tokens))
        if scores[number, column] == -np.inf:
            return
        total = beams[number].total + float(log_probs[number, column])
        yield _Candidate(float(scores[number, column]), number, int(tokens[column]), total)
