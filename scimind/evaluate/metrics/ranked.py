"""Scores of several answers to a prompt: the best score among the first k, and how good all of them are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scimind.evaluate.parallel_scoring import score_each
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, Statistic, estimate, mean_of, ratio
from scimind.evaluate.results import Failure, Findings, withdraw

_CUTS = (1, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
# The scores of an answer whose mean has another name.
_METRICS = {"valid": "validity"}


@dataclass(frozen=True)
class AnswerScores:
    """The scores of the answers to one prompt.

    Attributes:
        answers: The scores of each answer by name, best answer first; all have the same names.
        prompt: Scores of the answers together by the metric's name, whose mean over prompts is the metric; None if a
            prompt has none.
        shares: Numerator and denominator by the metric's name, whose sums over prompts make up the metric.
        failures: Scores that raised an error.
    """

    answers: list[dict[str, Any]]
    prompt: dict[str, float | None] = field(default_factory=dict)
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class ExactAnswers:
    """Scores answers as equal to the reference or not; can be sent to another process.

    Attributes:
        read: Turns a text into what is compared.
    """

    read: Callable[[str], Any]

    def __call__(self, item: Item) -> AnswerScores:
        """Returns the scores of an item that has a reference."""
        right = self.read(item.reference or "")
        return AnswerScores([{"exact": self.read(answer) == right} for answer in item.answers])


def add_ranked(
    findings: Findings,
    items: Sequence[Item],
    written: Sequence[Item],
    scorer: Callable[[Item], AnswerScores],
    resampling: Resampling,
    *,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> None:
    """Adds the scores of several answers to findings on the first ones, and `answers` to the rows of items.

    `topK_exact` and the like are means over prompts of the best score among the first K answers; a prompt with fewer
    answers counts with those it has, and one without any with an empty one.

    Args:
        findings: The findings of the items' group of metrics.
        items: Outputs as they are scored.
        written: The same outputs as they are in the file.
        scorer: A picklable function that scores the answers of an item.
        resampling: How intervals are computed.
        workers: Number of processes.
        advance: Called with the number of newly scored items.
    """
    found = score_each(scorer, items, workers, advance)
    most = max(len(item.answers) for item in items)
    tops = {
        _top(name, k): [max(answer[name] for answer in scores.answers[:k]) for scores in found]
        for name in found[0].answers[0]
        for k in _cuts(most)
    }
    statistics = {name: mean_of(values) for name, values in tops.items()}
    for name in found[0].shares:
        statistics[name] = Statistic(np.array([scores.shares[name] for scores in found], float), ratio)
    for name in found[0].prompt:
        values = [scores.prompt[name] for scores in found]
        statistics[name] = mean_of([value or 0.0 for value in values], [value is not None for value in values])
    findings.scores |= estimate(statistics, resampling)
    for place, (row, scores) in enumerate(zip(findings.rows, found, strict=True)):
        row |= scores.prompt | {_top(name, most): tops[_top(name, most)][place] for name in scores.answers[0]}
        row["answers"] = _rows(items[place], written[place], scores)
    findings.counts["answers"] = sum(len(item.answers) for item in items)
    findings.counts["prompts_with_fewer_answers"] = sum(len(item.answers) < most for item in items)
    findings.settings["answers"] = f"up to {most} for each prompt, in the order of the file"
    failures = [failure for scores in found for failure in scores.failures]
    withdraw(
        findings,
        [
            Failure(name, failure.item, failure.reason)
            for failure in failures
            for name in (failure.metric, *(_top(failure.metric, k) for k in _cuts(most)))
            if name in statistics
        ],
    )


def _rows(item: Item, written: Item, scores: AnswerScores) -> list[dict[str, Any]]:
    """Returns the answers to a prompt as they are written, with `read` if something else was scored."""
    likelihoods = written.log_likelihoods or (None,) * len(item.answers)
    return [
        {"output": text, **({"read": read} if read != text else {}), "log_likelihood": likelihood, **parts}
        for text, read, likelihood, parts in zip(
            written.answers, item.answers, likelihoods, scores.answers, strict=True
        )
    ]


def _cuts(most: int) -> list[int]:
    return [k for k in _CUTS if k < most] + [most]


def _top(name: str, k: int) -> str:
    return f"top{k}_{_METRICS.get(name, name)}"
