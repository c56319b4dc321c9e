"""Scores of answers that are numbers: errors and correlations, next to always answering the mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.data.content.numbers import NumberFormat
from scimind.errors import DataError
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, estimate, mean_of, resample
from scimind.evaluate.results import Findings

Values = NDArray[np.float64]


def score_numbers(
    items: Sequence[Item],
    resampling: Resampling,
    form: NumberFormat | None = None,
    training_mean: float | None = None,
) -> Findings:
    """Returns RMSE, MAE, R², Pearson's and Spearman's correlations, and the errors of always answering the mean.

    An answer that is not a number has no error: it is left out of all scores but `unparsed`, which is its share. If
    there are prompts with several answers, `expected_rmse` and `expected_mae` are the errors of their mean, weighted by
    their likelihoods.

    Args:
        items: Outputs with references, both on the scale of the answers.
        resampling: How intervals are computed.
        form: How the task writes numbers; None for plain numbers.
        training_mean: Mean of the training values, which is the baseline's answer; None takes the references' mean.

    Raises:
        DataError: A reference is missing or not a number.
    """
    form = form or NumberFormat()
    truth = np.array([_reference(item, form) for item in items])
    read = [form.read_answer(item.output) for item in items]
    parsed = np.array([value is not None for value in read])
    findings = Findings(packages=("numpy",))
    findings.counts = {"unparsed_outputs": int((~parsed).sum())}
    findings.rows = [
        {"measured": right, "predicted": value, **({} if value is None else {"absolute_error": abs(value - right)})}
        for right, value in zip(truth.tolist(), read, strict=True)
    ]
    unparsed = estimate({"unparsed": mean_of(~parsed)}, resampling)
    known, answers = truth[parsed], np.array([value for value in read if value is not None], float)
    if form.unit and not form.transform:
        findings.settings["unit"] = form.unit
    if form.transform:
        findings.settings["scale"] = f"{form.transform} of the value" + (f" in {form.unit}" if form.unit else "")
    if not len(known):
        reason = "no output is a number"
        findings.not_computed = dict.fromkeys([*_SCORES, "baseline_rmse", "baseline_mae"], reason)
        findings.scores = unparsed
        return findings
    if len(known) < len(truth):
        findings.settings["errors"] = f"of the {len(known)} of {len(truth)} outputs that are numbers"
    for name, function in _SCORES.items():
        reason = "" if name in ("rmse", "mae") else _undefined(known, answers, name)
        if reason:
            findings.not_computed[name] = reason
        else:
            findings.scores[name] = resample(_of_rows(function, known, answers), len(known), resampling)
    _add_baseline(findings, known, truth.mean() if training_mean is None else training_mean, resampling)
    whose = "references, since the task has no training_mean" if training_mean is None else "training values"
    findings.settings["baseline"] += f", the mean of the {whose}"
    if any(item.further for item in items):
        _add_expected(findings, items, truth, form, resampling)
    findings.scores |= unparsed
    return findings


def rmse(truth: Values, answers: Values) -> float:
    """Returns the root of the mean squared error of answers [n]."""
    # Dividing by the largest error keeps the squares of very large and very small ones from leaving the range.
    errors = np.abs(answers - truth)
    largest = float(errors.max())
    return largest * math.sqrt(float(np.mean((errors / largest) ** 2))) if largest else 0.0


def mae(truth: Values, answers: Values) -> float:
    """Returns the mean absolute error of answers [n]."""
    return float(np.mean(np.abs(answers - truth)))


def r_squared(truth: Values, answers: Values) -> float:
    """Returns R², 1 minus squared errors over squared deviations from the mean; NaN if truth is constant."""
    spread = _squares(truth)
    return 1 - float(np.sum((answers - truth) ** 2)) / spread if spread else math.nan


def pearson(truth: Values, answers: Values) -> float:
    """Returns Pearson's correlation coefficient, -1 … 1; NaN if truth or answers are constant."""
    spreads = _squares(truth), _squares(answers)
    if not all(spreads):
        return math.nan
    product = float(np.sum((truth - truth.mean()) * (answers - answers.mean())))
    return max(-1.0, min(1.0, product / math.sqrt(spreads[0]) / math.sqrt(spreads[1])))


def spearman(truth: Values, answers: Values) -> float:
    """Returns Spearman's correlation, that of the ranks, where equal numbers have their mean rank; NaN as `pearson`."""
    return pearson(_ranks(truth), _ranks(answers))


_SCORES: dict[str, Callable[[Values, Values], float]] = {
    "rmse": rmse,
    "mae": mae,
    "r2": r_squared,
    "pearson": pearson,
    "spearman": spearman,
}


def _squares(values: Values) -> float:
    """Returns the sum of squared deviations from the mean, exactly 0 for equal numbers."""
    if values.max() == values.min():
        return 0.0
    return float(np.sum((values - values.mean()) ** 2))


def _ranks(values: Values) -> Values:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _of_rows(
    function: Callable[[Values, Values], float], truth: Values, answers: Values
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: function(truth[rows], answers[rows])


def _undefined(truth: Values, answers: Values, name: str) -> str:
    """Returns why a score that compares with the spread of the numbers is not defined; empty if it is."""
    if len(truth) < 2:
        return "needs at least two outputs that are numbers"
    if not _squares(truth):
        return f"all references are {truth[0]:g}"
    if name != "r2" and not _squares(answers):
        return f"all outputs are {answers[0]:g}"
    return ""


def _add_baseline(findings: Findings, truth: Values, mean: float, resampling: Resampling) -> None:
    """Adds the errors of always answering a mean."""
    constant = np.full_like(truth, mean)
    for name, function in (("baseline_rmse", rmse), ("baseline_mae", mae)):
        findings.scores[name] = resample(_of_rows(function, truth, constant), len(truth), resampling)
    findings.settings["baseline"] = f"always answering {mean:.6g}"


def _add_expected(
    findings: Findings, items: Sequence[Item], truth: Values, form: NumberFormat, resampling: Resampling
) -> None:
    """Adds the errors of the mean of each prompt's answers, and the answers to the rows."""
    means = [_expected(item, form) for item in items]
    known = np.array([mean is not None for mean in means])
    expected = np.array([mean for mean in means if mean is not None], float)
    for name, function in (("expected_rmse", rmse), ("expected_mae", mae), ("expected_r2", r_squared)):
        if name == "expected_r2" and (reason := _undefined(truth[known], expected, "r2")):
            findings.not_computed[name] = reason
        else:
            findings.scores[name] = resample(_of_rows(function, truth[known], expected), len(expected), resampling)
    for row, item, mean in zip(findings.rows, items, means, strict=True):
        row["expected"] = mean
        likelihoods = item.log_likelihoods or (None,) * len(item.answers)
        row["answers"] = [
            {"output": text, "log_likelihood": likelihood}
            for text, likelihood in zip(item.answers, likelihoods, strict=True)
        ]
    findings.counts["answers"] = sum(len(item.answers) for item in items)
    findings.settings["expected"] = (
        "mean of a prompt's answers that are numbers, weighted by their likelihoods; by 1 where one has none"
    )


def _expected(item: Item, form: NumberFormat) -> float | None:
    """Returns the mean of an item's answers, weighted by likelihood; None if none is a number."""
    likelihoods: Sequence[Any] = item.log_likelihoods or (None,) * len(item.answers)
    read = [
        (value, weight)
        for text, weight in zip(item.answers, likelihoods, strict=True)
        if (value := form.read_answer(text)) is not None
    ]
    if not read:
        return None
    values = np.array([value for value, _ in read])
    if any(weight is None for _, weight in read):
        return float(values.mean())
    logs = np.array([weight for _, weight in read], float)
    return float(np.average(values, weights=np.exp(logs - logs.max())))


def _reference(item: Item, form: NumberFormat) -> float:
    """Returns the number of a reference.

    Raises:
        DataError: It is missing, or not a number on the scale of the answers.
    """
    if item.reference is None or not item.reference.strip():
        what = "missing; give --references" if item.reference is None else "empty; correct the references"
        raise DataError(f"the reference of item {item.id} is {what}")
    try:
        return form.read_reference(item.reference)
    except ValueError as error:
        raise DataError(f"the reference of item {item.id} ({item.reference[:60]!r}) cannot be used: {error}") from error
