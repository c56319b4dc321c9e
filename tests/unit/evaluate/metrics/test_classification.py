from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from scimind.errors import DataError
from scimind.evaluate.metrics.classification import calibration_bins, score_labels
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling
from tests.support.tolerances import EXACT_SUM

PLAIN = Resampling(samples=0)


def items(*rows):
    return [
        Item(str(n), output, reference, extra=dict(zip(("probability",), rest, strict=False)))
        for n, (output, reference, *rest) in enumerate(rows, 1)
    ]


def values(findings):
    return {name: score.value for name, score in findings.scores.items()}


def test_two_labels_by_hand():
    rows = [("Yes.", "yes", 0.9), ("yes", "no", 0.6), ("no", "yes", 0.4), ("no", "no", 0.1), ("perhaps", "no", 0.5)]
    findings = score_labels(items(*rows), PLAIN)
    found = values(findings)
    assert found["accuracy"] == 2 / 5
    assert found["f1"] == 1 / 2  # 1 right, 1 wrong, 1 missed
    # yes: 0.9, 0.4; no: 0.6, 0.1, 0.5. Of 6 pairs 0.9 wins 3 and 0.4 wins 1.
    assert found["auroc"] == pytest.approx(4 / 6, abs=EXACT_SUM)
    # Sorted: yes no no yes no. Precision 1 at the first yes, 2/4 at the second, half of the recall each.
    assert found["auprc"] == pytest.approx((1 + 1 / 2) / 2, abs=EXACT_SUM)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01 + 0.25) / 5, abs=EXACT_SUM)
    assert findings.counts["other_outputs"] == 1
    matrix = findings.details["confusion_matrix"]
    assert matrix["labels"] == ["no", "yes", "(other)"]
    assert matrix["counts"] == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]


def test_calibration_by_hand():
    bins = calibration_bins(np.array([0.95, 0.91, 0.55, 1.0]), np.array([True, False, True, True]))
    assert [(b["items"], b["accuracy"]) for b in bins] == [(1, 1.0), (3, 2 / 3)]
    found = values(score_labels(items(("yes", "yes", 0.95), ("no", "no", 0.45), ("yes", "no", 0.91)), PLAIN))
    # 0.95 and 0.91 in one bin, half of them right; 0.55 for no in another, right.
    wanted = (2 * abs(0.5 - 0.93) + abs(1 - 0.55)) / 3
    assert found["calibration_error"] == pytest.approx(wanted, abs=EXACT_SUM)


def test_several_labels_are_those_of_scikit_learn():
    draw = np.random.default_rng(3)
    truth, given = draw.choice(list("abc"), 60), draw.choice(list("abcd"), 60)
    findings = score_labels(items(*zip(given, truth, strict=True)), Resampling(samples=20))
    mapped = ["(other)" if label == "d" else label for label in given]
    assert values(findings)["mcc"] == pytest.approx(matthews_corrcoef(truth, mapped), abs=EXACT_SUM)
    wanted = f1_score(truth, mapped, labels=list("abc"), average="macro")
    assert values(findings)["f1"] == pytest.approx(wanted, abs=EXACT_SUM)
    for name in ("f1", "mcc"):
        assert findings.scores[name].low < findings.scores[name].value < findings.scores[name].high
    assert "probabilities" in findings.not_computed["auroc"]


def test_probabilities_of_several_labels():
    rows = [
        ("a", "a", [0.8, 0.1, 0.1]),
        ("b", "b", [0.2, 0.5, 0.3]),
        ("c", "c", [0.1, 0.2, 0.7]),
        ("a", "b", [0.5, 0.4, 0.1]),
    ]
    given = [
        Item(str(n), output, right, extra={"probabilities": dict(zip("abc", chance, strict=True))})
        for n, (output, right, chance) in enumerate(rows)
    ]
    found = values(score_labels(given, PLAIN))
    assert found["auroc"] == 1.0  # each label's own items have its largest probabilities
    assert math.isclose(found["brier"], (0.06 + 0.38 + 0.14 + 0.62) / 4)


@pytest.mark.parametrize(
    ("rows", "options", "match"),
    [
        ([("yes", "yes"), ("no", "yes")], {}, "at least two labels"),
        ([("a", "a", 0.9), ("b", "b", 0.1)], {}, "--positive_label"),
        ([("a", "a"), ("b", "b")], {"positive": "c"}, "'c' is not among"),
        ([("yes", "yes"), ("no", None)], {}, "item 2 is missing"),
        ([("yes", "yes", 0.5), ("no", "no")], {}, "item 2 has no probability"),
        ([("yes", "yes", 1.5), ("no", "no", 0.1)], {}, "item 1: probability"),
        ([("yes", "yes", "?"), ("no", "no", 0.1)], {}, "item 1: probability"),
    ],
)
def test_what_cannot_be_scored_is_an_error(rows, options, match):
    with pytest.raises(DataError, match=match):
        score_labels(items(*rows), PLAIN, **options)


def test_a_failed_prompt_is_wrong_and_has_equal_probabilities():
    failed = Item("4", "", "no", extra={"finish_reason": "error"})
    rows = items(("yes", "yes", 0.9), ("no", "no", 0.2), ("yes", "no", 0.7))
    found = values(score_labels([*rows, failed], PLAIN))
    assert found["accuracy"] == 2 / 4
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.49 + 0.25) / 4, abs=EXACT_SUM)
    with pytest.raises(DataError, match="item 4 has no probability"):
        score_labels([*rows, Item("4", "", "no")], PLAIN)
