"""Scores of numbers, against scikit-learn and SciPy, and in the corners."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from scimind.data.content.numbers import NumberFormat
from scimind.errors import DataError
from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.metrics.regression import mae, pearson, r_squared, rmse, score_numbers, spearman
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling

SAME = {"rel": 1e-9, "abs": 1e-9}
NO_INTERVALS = Resampling(samples=0)


def by_others(truth, answers) -> dict[str, float]:
    return {
        "rmse": metrics.root_mean_squared_error(truth, answers),
        "mae": metrics.mean_absolute_error(truth, answers),
        "r2": metrics.r2_score(truth, answers),
        "pearson": stats.pearsonr(truth, answers).statistic,
        "spearman": stats.spearmanr(truth, answers).statistic,
    }


def by_us(truth, answers) -> dict[str, float]:
    functions = {"rmse": rmse, "mae": mae, "r2": r_squared, "pearson": pearson, "spearman": spearman}
    return {name: function(truth, answers) for name, function in functions.items()}


def samples():
    draw = np.random.default_rng(0)
    for size, scale, offset, decimals in [
        (2, 1, 0, 6),
        (7, 1, 0, 0),
        (300, 2, 5, 1),
        (300, 1e-7, 0, 12),
        (50, 1, 1e6, 3),
    ]:
        truth = np.round(draw.normal(offset, scale, size), decimals)
        yield truth, np.round(truth + draw.normal(0, scale, size), decimals)


@pytest.mark.parametrize(("truth", "answers"), list(samples()))
def test_scores_are_those_of_scikit_learn_and_scipy(truth, answers):
    ours, theirs = by_us(truth, answers), by_others(truth, answers)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(
            value, rel=1e-9, abs=1e-9 * (1 if name not in ("rmse", "mae") else abs(value))
        )


def test_one_changed_answer_changes_every_score():
    """The twin that must fail: the comparison notices a single number."""
    truth, answers = list(samples())[2]
    other = answers.copy()
    other[np.argmax(answers)] = answers.min() - 1
    ours, theirs = by_us(truth, other), by_others(truth, answers)
    for name, value in theirs.items():
        assert ours[name] != pytest.approx(value, **SAME)


def items(pairs) -> list[Item]:
    return [Item(str(n), output, reference) for n, (reference, output) in enumerate(pairs, 1)]


def test_a_small_case_by_hand():
    found = score_numbers(items([("1", "1"), ("2", "3"), ("6", "5")]), NO_INTERVALS, training_mean=4.0)
    values = {name: score.value for name, score in found.scores.items()}
    assert values["rmse"] == pytest.approx((2 / 3) ** 0.5)
    assert values["mae"] == pytest.approx(2 / 3)
    assert values["r2"] == pytest.approx(1 - 2 / 14)
    assert values["spearman"] == pytest.approx(1)
    assert values["unparsed"] == 0
    assert values["baseline_rmse"] == pytest.approx((17 / 3) ** 0.5)  # errors 3, 2, 2
    assert values["baseline_mae"] == pytest.approx(7 / 3)
    assert found.settings["baseline"] == "always answering 4, the mean of the training values"
    assert found.rows[1] == {"measured": 2.0, "predicted": 3.0, "absolute_error": 1.0}


def test_without_a_mean_of_training_the_baseline_is_that_of_the_references():
    found = score_numbers(items([("1", "1"), ("2", "3"), ("6", "5")]), NO_INTERVALS)
    assert found.scores["baseline_rmse"].value == pytest.approx((14 / 3) ** 0.5)
    assert "the mean of the references" in found.settings["baseline"]


def test_an_output_without_a_number_is_counted_and_has_no_error():
    found = score_numbers(items([("1", "1.5"), ("2", "high"), ("6", "5")]), NO_INTERVALS)
    assert found.scores["unparsed"].value == pytest.approx(1 / 3)
    assert found.scores["mae"].value == pytest.approx(0.75)
    assert found.settings["errors"] == "of the 2 of 3 outputs that are numbers"
    assert found.counts["unparsed_outputs"] == 1
    assert found.rows[1] == {"measured": 2.0, "predicted": None}
    assert found.scores["baseline_mae"].value == pytest.approx(np.mean([2.0, 3.0]))  # of the same two items, mean 3


@pytest.mark.parametrize(
    ("pairs", "missing", "reason"),
    [
        ([("4.9", "4"), ("4.9", "5")], {"r2", "pearson", "spearman"}, "all references are 4.9"),
        ([("4", "0.1"), ("5", "0.1"), ("7", "0.1")], {"pearson", "spearman"}, "all outputs are 0.1"),
        ([("4", "5")], {"r2", "pearson", "spearman"}, "needs at least two outputs that are numbers"),
        ([("4", "a"), ("5", "")], {"rmse", "mae", "r2", "pearson", "spearman"}, "no output is a number"),
    ],
)
def test_what_is_not_defined_is_said(pairs, missing, reason):
    found = score_numbers(items(pairs), Resampling(samples=50))
    assert missing <= set(found.not_computed)
    assert {found.not_computed[name] for name in missing} == {reason}
    assert not missing & set(found.scores)
    assert all(score.value is not None for score in found.scores.values())


@pytest.mark.parametrize(
    ("reference", "message"),
    [(None, "missing"), (" ", "empty"), ("nan", "not a number"), ("inf", "infinite"), ("4.9 µM", "its unit is µM")],
)
def test_a_reference_that_is_not_a_number_names_its_item(reference, message):
    with pytest.raises(DataError, match="the reference of item 2 .*") as error:
        score_numbers(items([("1", "1"), (reference, "3")]), NO_INTERVALS, NumberFormat(1, "nM"))
    assert message in str(error.value)


def test_units_of_outputs_are_read():
    found = score_numbers(items([("1 nM", "2 nM"), ("2", "3"), ("5", "5 µM")]), NO_INTERVALS, NumberFormat(1, "nM"))
    assert found.scores["rmse"].value == pytest.approx(1.0)
    assert found.counts["unparsed_outputs"] == 1


def test_intervals_contain_the_value_and_shrink_with_the_number_of_items():
    draw = np.random.default_rng(1)
    widths = []
    for size in (40, 640):
        truth = draw.normal(0, 2, size)
        pairs = [(f"{t:.3f}", f"{t + e:.3f}") for t, e in zip(truth, draw.normal(0, 1, size), strict=True)]
        found = score_numbers(items(pairs), Resampling(samples=300)).scores
        for name in ("rmse", "mae", "r2", "pearson", "spearman", "baseline_rmse"):
            assert found[name].low < found[name].value < found[name].high
        widths.append(found["rmse"].high - found["rmse"].low)
    assert widths[1] < widths[0] / 2


def test_several_answers_are_averaged_by_likelihood():
    likelihoods = (float(np.log(0.75)), float(np.log(0.25)))
    several = [Item("1", "1", "2", further=("5",), log_likelihoods=likelihoods), Item("2", "3", "3")]
    found = score_numbers(several, NO_INTERVALS)
    assert found.rows[0]["expected"] == pytest.approx(2.0)
    assert found.scores["expected_rmse"].value == pytest.approx(0.0, abs=1e-12)
    assert found.scores["rmse"].value == pytest.approx(0.5**0.5)
    without = score_numbers([Item("1", "1", "2", further=("5", "x")), Item("2", "3", "3")], NO_INTERVALS)
    assert without.rows[0]["expected"] == pytest.approx(3.0)


TASK = """
name: affinity
question: "How strongly does {molecule} bind?"
answer: "{value}"
fields:
  molecule: {kind: smiles, columns: [smiles]}
  value: {kind: number, digits: 1, unit: nM}
output: {kind: number, training_mean: 3.5}
"""


def test_a_task_gives_unit_and_mean(tmp_path: Path):
    task, predictions = tmp_path / "affinity.yaml", tmp_path / "p.jsonl"
    task.write_text(TASK)
    rows = [
        {"id": n, "output": output, "reference": f"{n} nM"}
        for n, output in enumerate(["1.5", "2", "<NUMBER> 3 </NUMBER>"])
    ]
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = evaluate(EvaluateOptions(str(task), predictions, resampling=NO_INTERVALS)).metrics
    assert found["group"] == "regression"
    assert found["metrics"]["mae"]["value"] == pytest.approx((1.5 + 1 + 1) / 3)
    assert found["settings"]["unit"] == "nM"
    assert "3.5, the mean of the training values" in found["settings"]["baseline"]
