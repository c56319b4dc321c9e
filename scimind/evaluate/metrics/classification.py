"""Scores of answers that are labels, with or without probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score, matthews_corrcoef, roc_auc_score

from scimind.data.content.labels import find_label
from scimind.data.content.missing import is_missing
from scimind.errors import DataError
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, Statistic, estimate, mean_of, resample
from scimind.evaluate.results import Findings

POSITIVE = ("yes", "true", "1", "positive")
OTHER = "(other)"
_BINS = 10
_PROBABILITY = "probability"
_PROBABILITIES = "probabilities"
_SUM_TOLERANCE = 1e-3


def read_label(text: str) -> str:
    """Returns a label as it is compared: in lower case, without outer white space and a final full stop."""
    return " ".join(text.split()).lower().removesuffix(".").strip()


def with_labels(items: Sequence[Item], labels: Mapping[str, Sequence[str]]) -> list[Item]:
    """Returns items whose outputs and references are a task's labels, such as yes for 1 or 1.0.

    An output that is none of them is unchanged.

    Args:
        items: Outputs with references.
        labels: The labels of the task, with their spellings; empty if they are not known.

    Raises:
        DataError: A reference is none of the labels, or is a word for a missing value.
    """
    named = []
    for item in items:
        text = item.reference or ""
        label = find_label(read_label(text), labels) or text
        if text.strip() and label not in labels and (labels or is_missing(text)):
            rule = f"must be one of the task's labels, {', '.join(labels)}" if labels else "counts as empty"
            reason = f"the reference of item {item.id} ({text!r}) {rule}; correct it, or add it to the task's labels"
            raise DataError(reason)
        output, *further = (find_label(read_label(answer), labels) or answer for answer in item.answers)
        right = label if text else item.reference
        named.append(replace(item, output=output, further=tuple(further), reference=right))
    return named


def score_labels(items: Sequence[Item], resampling: Resampling, *, positive: str | None = None) -> Findings:
    """Returns accuracy, F1, MCC and, with probabilities, AUROC, AUPRC, the Brier score and the calibration error.

    The labels are those of the references. An output that is not one of them is wrong and counts as the label
    `(other)`. With two labels, F1, AUROC and AUPRC are those of the positive label; with more labels, or if it is not
    clear which one is positive, they are means over the labels.

    Args:
        items: Outputs; either all or none of them with the `probability` of the positive label or the `probabilities`
            of every label, 0 … 1.
        resampling: How intervals are computed.
        positive: The positive label; None for the one of `POSITIVE` among the labels, if there is one.

    Raises:
        DataError: A reference is missing, there is only one label, or probabilities are missing, out of range or of
            other labels.
    """
    for item in items:
        if item.reference is None or not read_label(item.reference):
            what = "missing; give --references" if item.reference is None else "empty; correct the references"
            raise DataError(f"the reference of item {item.id} is {what}")
    truth = [read_label(item.reference or "") for item in items]
    labels = sorted(set(truth))
    if len(labels) < 2:
        raise DataError(f"all references are {labels[0]!r}; scoring needs at least two labels")
    is_binary = len(labels) == 2
    chosen = _positive_label(labels, positive) if is_binary else None
    given = [label if (label := read_label(item.output)) in labels else OTHER for item in items]
    findings = Findings(packages=("scikit-learn", "numpy"))
    findings.counts = {
        "other_outputs": given.count(OTHER),
        **{f"references labelled {label}": truth.count(label) for label in labels},
    }
    findings.settings = {
        "labels": labels,
        "positive": chosen,
        "f1": "of the positive label" if chosen is not None else "mean over the labels",
    }
    findings.rows = [{"label": label, "right": label == right} for label, right in zip(given, truth, strict=True)]
    # An item's flattened confusion matrix holds everything that these scores need.
    known = [*labels, OTHER]
    place = {label: index for index, label in enumerate(known)}
    cells = np.zeros((len(items), len(known) ** 2))
    cells[np.arange(len(items)), [place[t] * len(known) + place[g] for t, g in zip(truth, given, strict=True)]] = 1
    targets = [place[chosen]] if chosen is not None else list(range(len(labels)))
    statistics = {
        "accuracy": mean_of([right == label for right, label in zip(truth, given, strict=True)]),
        "f1": Statistic(cells, lambda sums: _f1(_square(sums), targets)),
        "mcc": Statistic(cells, lambda sums: _mcc(_square(sums))),
    }
    probabilities = _probabilities(items, labels, chosen)
    if probabilities is not None:
        hot = np.array([[right == label for label in labels] for right in truth], float)
        statistics["brier"] = mean_of(((probabilities - hot) ** 2).sum(axis=1) / (2 if is_binary else 1))
    findings.scores = estimate(statistics, resampling)
    _take_from_sklearn(findings, truth, given, labels, chosen)
    findings.details["confusion_matrix"] = {
        "rows": "reference",
        "columns": "output",
        "labels": known,
        "counts": confusion_matrix(truth, given, labels=known).tolist(),
    }
    if probabilities is None:
        lacking = ("auroc", "auprc", "brier", "calibration_error")
        findings.not_computed.update(dict.fromkeys(lacking, 'needs "probability" or "probabilities" with each output'))
        return findings
    for row, chance in zip(findings.rows, probabilities, strict=True):
        row[_PROBABILITIES] = dict(zip(labels, chance.tolist(), strict=True))
    _add_ranked(findings, np.array([labels.index(right) for right in truth]), probabilities, targets, resampling)
    return findings


def calibration_bins(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, float]]:
    """Returns the mean confidence and the share of right answers in each non-empty bin of 10 equal bins of confidence.

    Args:
        confidence: Probability of the most likely label, [n], 0 … 1.
        right: Whether that label is the reference, [n].
    """
    places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        {
            "from": index / _BINS,
            "to": (index + 1) / _BINS,
            "items": int((places == index).sum()),
            "confidence": float(confidence[places == index].mean()),
            "accuracy": float(right[places == index].mean()),
        }
        for index in range(_BINS)
        if (places == index).any()
    ]


def _add_ranked(
    findings: Findings, truth: np.ndarray, probabilities: np.ndarray, targets: list[int], resampling: Resampling
) -> None:
    """Adds the scores that depend on the order or on bins of the probabilities; whole sets of items are resampled."""

    def auroc(rows: np.ndarray) -> float:
        return _mean_over(targets, truth[rows], probabilities[rows], roc_auc_score)

    def auprc(rows: np.ndarray) -> float:
        return _mean_over(targets, truth[rows], probabilities[rows], average_precision_score)

    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth

    def calibration_error(rows: np.ndarray) -> float:
        bins = calibration_bins(confidence[rows], right[rows])
        return sum(b["items"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / len(rows)

    for name, function in (("auroc", auroc), ("auprc", auprc), ("calibration_error", calibration_error)):
        findings.scores[name] = resample(function, len(truth), resampling)
    findings.details["calibration"] = calibration_bins(confidence, right)
    settings = f"expected calibration error of the most likely label, {_BINS} bins of equal width"
    findings.settings["calibration"] = settings


def _mean_over(targets: list[int], truth: np.ndarray, probabilities: np.ndarray, score: Callable[..., float]) -> float:
    """Returns the mean one-versus-rest score over the labels `targets`; NaN if all or no items have one of them."""
    values = []
    for target in targets:
        is_target = truth == target
        if is_target.all() or not is_target.any():
            return math.nan
        values.append(score(is_target, probabilities[:, target]))
    return float(np.mean(values))


def _positive_label(labels: list[str], positive: str | None) -> str | None:
    if positive is not None:
        if read_label(positive) not in labels:
            raise DataError(f"the positive label {positive!r} is not among the references' labels: {', '.join(labels)}")
        return read_label(positive)
    found = [label for label in POSITIVE if label in labels]
    return found[0] if len(found) == 1 else None


def _probabilities(items: Sequence[Item], labels: list[str], positive: str | None) -> np.ndarray | None:
    """Returns the probability of each label, [n, labels], or None if no item has one.

    A failed prompt has no answer; its labels all get the same probability.
    """
    has = [_PROBABILITY in item.extra or _PROBABILITIES in item.extra for item in items]
    if not any(has):
        return None
    table = np.full((len(items), len(labels)), 1 / len(labels))
    for row, item, has_one in zip(table, items, has, strict=True):
        if has_one:
            row[:] = _of_item(item, labels, positive)
        elif item.extra.get("finish_reason") != "error":
            raise DataError(f"item {item.id} has no probability, but others have one; give all items one, or none")
    return table


def _of_item(item: Item, labels: list[str], positive: str | None) -> list[float]:
    where = f"item {item.id}"
    if _PROBABILITIES in item.extra:
        given = item.extra[_PROBABILITIES]
        try:
            given = json.loads(given) if isinstance(given, str) else given
            by_label = {read_label(str(name)): float(value) for name, value in given.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"{where}: probabilities must be an object with a number per label ({error})") from error
        absent = [label for label in labels if label not in by_label]
        if absent:
            raise DataError(f"{where}: there is no probability of the label {absent[0]!r}; add it")
        values = [by_label[label] for label in labels]
        if not all(0 <= value <= 1 for value in by_label.values()) or abs(sum(by_label.values()) - 1) > _SUM_TOLERANCE:
            raise DataError(f"{where}: probabilities must be between 0 and 1 and sum to 1")
        return values
    if positive is None:
        raise DataError(
            f'{where}: it is not clear which label "probability" refers to; give --positive_label, or the '
            '"probabilities" of all labels'
        )
    try:
        value = float(item.extra[_PROBABILITY])
    except (ValueError, TypeError) as error:
        raise DataError(f"{where}: probability ({item.extra[_PROBABILITY]!r}) must be between 0 and 1") from error
    if not 0 <= value <= 1:
        raise DataError(f"{where}: probability ({value}) must be between 0 and 1")
    return [value if label == positive else 1 - value for label in labels]


def _square(sums: np.ndarray) -> np.ndarray:
    """[..., l·l] -> [..., l, l], references by outputs."""
    size = math.isqrt(sums.shape[-1])
    return sums.reshape(*sums.shape[:-1], size, size)


def _f1(matrix: np.ndarray, targets: list[int]) -> np.ndarray:
    """Returns the mean F1 of the labels `targets`, 0 for a label without right answers: [..., l, l] -> [...]."""
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    both = matrix.sum(axis=-1) + matrix.sum(axis=-2)
    return np.where(both > 0, 2 * right / np.maximum(both, 1), 0.0)[..., targets].mean(axis=-1)


def _mcc(matrix: np.ndarray) -> np.ndarray:
    """Returns Matthews' correlation coefficient of several labels, 0 where undefined: [..., l, l] -> [...].

    Source: Gorodkin 2004, "Comparing two K-category assignments by a K-category correlation coefficient", equation 8.
    """
    truth, given = matrix.sum(axis=-1), matrix.sum(axis=-2)
    total = truth.sum(axis=-1)
    covariance = np.trace(matrix, axis1=-2, axis2=-1) * total - (truth * given).sum(axis=-1)
    spread = (total**2 - (truth**2).sum(axis=-1)) * (total**2 - (given**2).sum(axis=-1))
    return np.where(spread > 0, covariance / np.sqrt(np.maximum(spread, 1)), 0.0)


def _take_from_sklearn(
    findings: Findings, truth: list[str], given: list[str], labels: list[str], positive: str | None
) -> None:
    """Takes the values from scikit-learn; the intervals come from the same formulas over sums."""
    which = [positive] if positive is not None else labels
    values = {
        "f1": f1_score(truth, given, labels=which, average="macro", zero_division=0.0),
        "mcc": matthews_corrcoef(truth, given),
    }
    for name, value in values.items():
        findings.scores[name] = replace(findings.scores[name], value=float(value))
