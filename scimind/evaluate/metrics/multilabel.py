"""Scores of several labels of each molecule, one item for each: the means over the labels of those of one label.

The name of an item's label is what follows the last colon of its id, as `scimind prepare` writes it (see
`scimind.data.tasks.records.Wide`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

from scimind.data.tasks.records import BETWEEN
from scimind.errors import DataError
from scimind.evaluate.metrics.classification import POSITIVE, read_label, resample, score_labels
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling
from scimind.evaluate.results import Findings

_POOLED = "of all items together"


def score_multilabel(items: Sequence[Item], resampling: Resampling, *, positive: str | None = None) -> Findings:
    """Returns accuracy, Brier score and calibration of all items, and F1, MCC and AUROC as means over the labels.

    Labels whose references are all the same have no AUROC, F1 and MCC, and are left out of the means.

    Args:
        items: Outputs with two possible answers, such as yes and no, whose ids end in the name of a label.
        resampling: How intervals are computed.
        positive: The positive answer; None for the one of `POSITIVE` among the answers.

    Raises:
        DataError: An id does not name a label, or the items cannot be scored; see `score_labels`.
    """
    names = np.array([label_name(item) for item in items])
    findings = score_labels(items, resampling, positive=positive)
    chosen, labels = findings.settings["positive"], findings.settings["labels"]
    if chosen is None:
        known = f"not clear which of {', '.join(labels)} is positive"
        raise DataError(f"{known}; give --positive_label, or references with two answers, one of {', '.join(POSITIVE)}")
    truth = np.array([read_label(item.reference or "") == chosen for item in items])
    given = np.array([row["label"] == chosen for row in findings.rows])
    groups = [np.flatnonzero(names == name) for name in dict.fromkeys(names)]
    chances = [row["probabilities"][chosen] for row in findings.rows if "probabilities" in row]
    chance = np.array(chances) if chances else None
    findings.scores |= {
        "f1": resample(lambda rows: _mean(rows, groups, truth, given, _f1), len(items), resampling),
        "mcc": resample(lambda rows: _mean(rows, groups, truth, given, _mcc), len(items), resampling),
    }
    if chance is not None:
        findings.scores["auroc"] = resample(
            lambda rows: _mean(rows, groups, truth, chance, _auroc), len(items), resampling
        )
        findings.scores.pop("auprc", None)
    else:
        findings.not_computed.pop("auprc", None)
    findings.details["labels"] = {
        str(names[group[0]]): _of_label(truth[group], given[group], None if chance is None else chance[group])
        for group in groups
    }
    findings.counts["labels"] = len(groups)
    findings.counts["labels_with_one_answer"] = sum(len(set(truth[group])) < 2 for group in groups)
    means = "mean over the labels that have both answers"
    findings.settings |= {"f1": f"of the positive answer, {means}", "mcc": means, "auroc": means, "accuracy": _POOLED}
    return findings


def label_name(item: Item) -> str:
    """Returns the name of an item's label.

    Raises:
        DataError: Its id does not end in one.
    """
    name = item.id.rpartition(BETWEEN)[2].strip()
    if not name or BETWEEN not in item.id:
        reason = f"the id of item {item.id} does not end in the name of its label, as in 7{BETWEEN}Eye disorders"
        raise DataError(f"{reason}; use the prediction file of `scimind predict`, or add the names to the ids")
    return name


def _of_label(truth: np.ndarray, given: np.ndarray, chance: np.ndarray | None) -> dict[str, Any]:
    """Returns the scores of one label, of which those that need both answers are None without them."""
    has_both = truth.any() and not truth.all()
    return {
        "items": len(truth),
        "positive": int(truth.sum()),
        "accuracy": float((truth == given).mean()),
        "f1": float(f1_score(truth, given, zero_division=0.0)) if has_both else None,
        "mcc": float(matthews_corrcoef(truth, given)) if has_both else None,
        "auroc": float(roc_auc_score(truth, chance)) if has_both and chance is not None else None,
    }


def _mean(rows: np.ndarray, groups: Sequence[np.ndarray], truth: np.ndarray, value: np.ndarray, score: Any) -> float:
    """Returns the mean over labels of the score of the items that were drawn; NaN if none has both answers."""
    times = np.bincount(rows, minlength=len(truth))
    found = []
    for group in groups:
        drawn = np.repeat(group, times[group])
        right = truth[drawn]
        if right.any() and not right.all():
            found.append(score(right, value[drawn]))
    return float(np.mean(found)) if found else math.nan


def _auroc(truth: np.ndarray, chance: np.ndarray) -> float:
    """Returns the share of pairs in which the positive one has the higher probability; ties count half."""
    positive = int(truth.sum())
    ranks = rankdata(chance)[truth].sum() - positive * (positive + 1) / 2
    return float(ranks / (positive * (len(truth) - positive)))


def _f1(truth: np.ndarray, given: np.ndarray) -> float:
    both = truth.sum() + given.sum()
    return float(2 * (truth & given).sum() / both) if both else 0.0


def _mcc(truth: np.ndarray, given: np.ndarray) -> float:
    """Returns the correlation of two sets of answers, 0 if one of them is constant."""
    if given.all() or not given.any():
        return 0.0
    return float(np.corrcoef(truth, given)[0, 1])
