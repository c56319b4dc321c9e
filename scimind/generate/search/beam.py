"""Beam search over accepted prefixes, also in diverse groups: several answers of one prompt.

As in transformers by default (`early_stopping=False`), a beam's candidates are ranked by log-likelihood, finished
answers by log-likelihood / (tokens, EOS included) ** length_penalty, and the search ends once `num_beams` answers are
finished that the best beam could not beat if it ended now. The rule removes candidates; it does not change likelihoods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scimind.errors import ConfigError
from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import Found, Problem, Search


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
    """The beams that are searched together, their finished answers, and all spellings of these."""

    size: int
    beams: list[_Beam]
    finished: dict[Any, tuple[float, Found]] = field(default_factory=dict)
    spellings: list[Found] = field(default_factory=list)

    def finish(self, found: Found, score: float) -> None:
        """Keeps the best answers, one for each key."""
        self.spellings.append(found)
        known = self.finished.get(found.key)
        if known is None or known[0] < score:
            self.finished[found.key] = (score, found)
        if len(self.finished) > self.size:
            worst = min(self.finished, key=lambda key: self.finished[key][0])
            del self.finished[worst]

    def is_done(self, length_penalty: float) -> bool:
        """Returns whether no beam would be better than the worst finished answer if it ended now."""
        if not self.beams:
            return True
        if len(self.finished) < self.size:
            return False
        worst = min(score for score, _ in self.finished.values())
        return worst >= self.beams[0].score / (len(self.beams[0].ids) + 1) ** length_penalty


def beam_search(problem: Problem, settings: BeamSettings) -> Search[tuple[list[Found], list[Found]]]:
    """Returns up to `num_beams` answers that differ in their key, the best first.

    Args:
        problem: The model and the rule. Its budget of work is meant for one answer, and is multiplied by `num_beams`.
        settings: The settings.

    Returns:
        The answers, ranked as described above, and all that were finished, several with one key among them. There is
        none only if no beam ended within the budget.
    """
    if settings.num_beams == 1:
        answers = yield from greedy_search(problem)
        return answers, answers
    size = settings.num_beams // settings.num_beam_groups
    problem.begin(settings.num_beams)
    root = yield from problem.root()
    if root is None:
        return [], []
    groups = [_Group(size, [_Beam(*root, score=root[-1])]) for _ in range(settings.num_beam_groups)]
    while problem.has_budget:
        going = [group for group in groups if not group.is_done(settings.length_penalty)]
        if not going:
            break
        found = yield from problem.ask([beam.ids for group in going for beam in group.beams])
        chosen: Counter[int] = Counter()  # tokens of earlier groups in this step
        for group in going:
            _advance(problem, group, [found.pop(0) for _ in group.beams], settings, chosen)
    merged = _Group(settings.num_beams, [])
    for group in groups:
        for score, answer in group.finished.values():
            merged.finish(answer, score)
    ranked = sorted(merged.finished.values(), key=lambda pair: (-pair[0], pair[1].ids))
    return [answer for _, answer in ranked], [answer for group in groups for answer in group.spellings]


def _advance(
    problem: Problem,
    group: _Group,
    log_probs: Sequence[NDArray[np.floating]],
    settings: BeamSettings,
    chosen: Counter[int],
) -> None:
    """Replaces a group's beams by the best ones that are one token longer.

    Args:
        problem: The model and the rule.
        group: The group.
        log_probs: Of the token after each beam [v].
        settings: The settings.
        chosen: The last tokens of earlier groups' beams, to which this group's are added.
    """
    beams, rank = list[_Beam](), 0
    for candidate in _ranked(problem, group.beams, log_probs, settings.diversity_penalty, chosen):
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
            longer = _Beam((*beam.ids, candidate.token), state, candidate.total, candidate.score)
            if problem.is_cut(longer.ids):
                found = problem.found(longer.ids, state, longer.total, "length")
                group.finish(found, longer.score / len(longer.ids) ** settings.length_penalty)
            beams.append(longer)
        rank += 1
        if len(beams) == group.size:
            break
    chosen.update(beam.ids[-1] for beam in beams)
    group.beams = [beam for beam in beams if not problem.is_cut(beam.ids)]


def _ranked(
    problem: Problem,
    beams: list[_Beam],
    following: Sequence[NDArray[np.floating]],
    diversity_penalty: float,
    chosen: Counter[int],
) -> Iterator[_Candidate]:
    """Returns every token after every beam, the best first; on a tie the earlier beam and the lower id."""
    log_probs = np.stack(following)  # [beams, v]
    tokens = problem.tokens(log_probs.shape[1])
    log_probs = log_probs[:, tokens]
    scores = np.array([beam.score for beam in beams])[:, None] + log_probs
    if chosen and diversity_penalty:
        scores -= diversity_penalty * np.array([chosen[token] for token in tokens.tolist()])
    for place in np.argsort(-scores, axis=None, kind="stable"):
        number, column = divmod(int(place), len(tokens))
        if scores[number, column] == -np.inf:
            return
        total = beams[number].total + float(log_probs[number, column])
        yield _Candidate(float(scores[number, column]), number, int(tokens[column]), total)
