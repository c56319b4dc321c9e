"""Scores of answers that are sets of names, such as the properties of a molecule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scimind.data.tasks.outputs import read_names
from scimind.errors import DataError
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, Statistic, estimate, mean_of, ratio
from scimind.evaluate.results import Findings


def score_names(items: Sequence[Item], resampling: Resampling) -> Findings:
    """Returns precision, recall and F1 of the names of all items (micro-averaged), and the share of exact sets.

    Names are compared as sets, ignoring upper and lower case.

    Args:
        items: Outputs and references: names separated by commas.
        resampling: How intervals are computed.

    Raises:
        DataError: A reference is missing or holds no name.
    """
    for item in items:
        if not read_names(item.reference or ""):
            what = "missing; give --references" if item.reference is None else "empty; correct the references"
            raise DataError(f"the reference of item {item.id} is {what}")
    pairs = [(names_in(item.output), names_in(item.reference or "")) for item in items]
    # Each item's number of right names, of names in the output, and of names in the reference.
    counts = np.array([[len(given & wanted), len(given), len(wanted)] for given, wanted in pairs], float)
    findings = Findings(packages=("numpy",))
    findings.settings = {"names": "separated by commas, ignoring case, each counted once; over all items together"}
    findings.counts = {"empty_outputs": sum(not given for given, _ in pairs)}
    findings.scores = estimate(
        {
            "name_precision": Statistic(counts[:, [0, 1]], ratio),
            "name_recall": Statistic(counts[:, [0, 2]], ratio),
            "name_f1": Statistic(np.stack([2 * counts[:, 0], counts[:, 1] + counts[:, 2]], axis=1), ratio),
            "exact": mean_of([given == wanted for given, wanted in pairs]),
        },
        resampling,
    )
    findings.rows = [_row(given, wanted) for given, wanted in pairs]
    return findings


def names_in(text: str) -> frozenset[str]:
    """Returns the names in a text as they are compared: in lower case, each once."""
    return frozenset(name.lower() for name in read_names(text))


def _row(given: frozenset[str], wanted: frozenset[str]) -> dict[str, Any]:
    right = len(given & wanted)
    return {
        "exact": given == wanted,
        "name_precision": right / len(given) if given else None,
        "name_recall": right / len(wanted),
        "name_f1": 2 * right / (len(given) + len(wanted)),
    }
