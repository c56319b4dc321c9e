"""Properties named in captions, as L+M-24 scores them.

A property counts as named if the tokens of its name appear consecutively in the caption. Precision, recall and F1 of
each property are averaged up the tree of properties: a node's score is the mean of its children's, and the overall
score is the mean over the categories.

Source: Edwards et al. 2024, "L+M-24: Building a Dataset for Language + Molecules @ ACL 2024", and `scorer_props.py` of
its final evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from scimind.evaluate.lpm24.property_tables import SEPARATOR, PropertyTables, short_name
from scimind.evaluate.resampling import Resampling, Statistic, estimate
from scimind.evaluate.results import Findings

NO_VOCABULARY = "needs --wordpiece_vocab, SciBERT's vocab.txt, since the protocol looks for names in its tokens"
_METRICS = ("property_precision", "property_recall", "property_f1")


class Lexicon:
    """Finds names in a caption's tokens.

    Args:
        names: The names to find.
        tokenize: Turns a name or a caption into tokens.
    """

    def __init__(self, names: Iterable[str], tokenize: Callable[[str], list[str]]) -> None:
        self._by_tokens: dict[tuple[str, ...], list[int]] = {}
        for index, name in enumerate(names):
            self._by_tokens.setdefault(tuple(tokenize(name)), []).append(index)
        self._lengths = sorted({len(tokens) for tokens in self._by_tokens if tokens})

    def find(self, tokens: Sequence[str]) -> list[int]:
        """Returns the indices of the names whose tokens appear consecutively in `tokens`, ascending."""
        found: set[int] = set()
        for length in self._lengths:
            for start in range(len(tokens) - length + 1):
                found.update(self._by_tokens.get(tuple(tokens[start : start + length]), ()))
        return sorted(found)


def property_findings(
    findings: Findings,
    found: Sequence[tuple[list[int], list[int]]],
    tables: PropertyTables | None,
    is_scored: bool,
    resampling: Resampling,
) -> None:
    """Adds the scores of properties and withheld combinations to `findings`, or the reason why there are none.

    Args:
        findings: The captions' findings.
        found: Indices of the names in each item's reference and output.
        tables: The names.
        is_scored: Whether a vocabulary was given to look for names with.
        resampling: How intervals are computed.
    """
    tables = tables or PropertyTables()
    withheld = ("withheld_precision", "withheld_recall", "withheld_f1")
    asked = (
        (_METRICS, tables.leaves, "needs --properties, L+M-24's nested_props.json"),
        (withheld, tables.combinations, "needs --withheld, L+M-24's withheld_combos.txt"),
    )
    statistics: dict[str, Statistic] = {}
    for names, entries, reason in asked:
        if not entries or not is_scored:
            findings.not_computed.update(dict.fromkeys(names, reason if not entries else NO_VOCABULARY))
        elif names is _METRICS:
            statistics |= _tree_statistics(findings, found, tables)
        else:
            columns = combination_columns(found, tables)
            statistics |= {name: Statistic(columns, partial(_of_counts, kind=i)) for i, name in enumerate(names)}
    findings.scores |= estimate(statistics, resampling)
    for name in _METRICS:
        ours = findings.scores.get(name)
        if ours is not None and ours.value is not None and abs(ours.value - findings.protocol_values[name]) < 1e-12:
            del findings.protocol_values[name]


def _tree_statistics(
    findings: Findings, found: Sequence[tuple[list[int], list[int]]], tables: PropertyTables
) -> dict[str, Statistic]:
    """Returns the statistics of the whole tree; adds its nodes and the protocol's values to `findings`."""
    scorer = PropertyScorer(tables)
    columns = scorer.columns(found)
    sums = np.asarray(columns.sum(axis=0)).reshape(1, -1)
    findings.details["properties"] = scorer.nodes(sums)
    findings.settings["properties"] = (
        "mean up the tree; a group in which no property is named is left out (the protocol's script counts it as 1)"
    )
    for kind, name in enumerate(_METRICS):
        findings.protocol_values[name] = float(scorer.overall(sums, kind, empty=1.0)[0])
    return {name: Statistic(columns, partial(scorer.overall, kind=kind)) for kind, name in enumerate(_METRICS)}


class PropertyScorer:
    """Turns counts of properties into scores of the tree's nodes.

    Args:
        tables: The tree's leaves, and the names in the order of their indices.
    """

    def __init__(self, tables: PropertyTables) -> None:
        self._leaves = tables.leaves
        place = {name: index for index, name in enumerate(tables.names)}
        self._names = np.array([place[short_name(leaf)] for leaf in tables.leaves])
        self._count = len(tables.names)
        self._tree: dict[str, Any] = {}
        for index, leaf in enumerate(tables.leaves):
            node = self._tree
            *groups, name = leaf.split(SEPARATOR)
            for group in groups:
                node = node.setdefault(group, {})
            node[name] = index

    def columns(self, found: Sequence[tuple[list[int], list[int]]]) -> Any:
        """Returns each item's true positive, false positive and false negative leaves, sparse [n, 3·leaves]."""
        right, ours = (self._marks([pair[side] for pair in found]) for side in (0, 1))
        both = right.multiply(ours)
        return sparse.csr_array(sparse.hstack([both, ours - both, right - both]))

    def overall(self, sums: np.ndarray, kind: int, empty: float = np.nan) -> np.ndarray:
        """Returns the root's score from sums of columns: [..., 3·leaves] -> [...].

        Args:
            sums: Counts of a corpus.
            kind: 0 for precision, 1 for recall, 2 for F1.
            empty: The score of a group in which nothing has a score; NaN leaves the group out.
        """
        return self._mean(self._tree, _precision_recall_f1(*np.split(sums, 3, axis=-1))[kind], empty)

    def nodes(self, sums: np.ndarray) -> dict[str, dict[str, float]]:
        """Returns precision, recall and F1 of each category and group, by full name, from sums [1, 3·leaves].

        `f1_protocol` is the published script's value, in which a group without any F1 counts as 1.
        """
        scores = _precision_recall_f1(*np.split(sums, 3, axis=-1))
        found: dict[str, dict[str, float]] = {}

        def visit(node: dict[str, Any], name: str) -> None:
            found[name] = {
                kind: float(self._mean(node, values, np.nan)[0])
                for kind, values in zip(("precision", "recall", "f1"), scores, strict=True)
            }
            found[name]["f1_protocol"] = float(self._mean(node, scores[2], 1.0)[0])
            for child, below in node.items():
                if isinstance(below, dict):
                    visit(below, f"{name}{SEPARATOR}{child}")

        for category, node in self._tree.items():
            if isinstance(node, dict):
                visit(node, category)
        return found

    def _marks(self, found: Sequence[list[int]]) -> Any:
        rows = np.repeat(np.arange(len(found)), [len(indices) for indices in found])
        marks = sparse.csr_array(
            (np.ones(len(rows)), (rows, np.array([i for indices in found for i in indices], int))),
            shape=(len(found), self._count),
        )
        return marks[:, self._names]

    def _mean(self, node: dict[str, Any], leaves: np.ndarray, empty: float) -> np.ndarray:
        parts = [
            self._mean(child, leaves, empty) if isinstance(child, dict) else leaves[..., child]
            for child in node.values()
        ]
        values = np.stack(parts, axis=-1)
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=-1)
        return np.where(known.any(axis=-1), total / np.maximum(known.sum(axis=-1), 1), empty)


def combination_columns(found: Sequence[tuple[list[int], list[int]]], tables: PropertyTables) -> np.ndarray:
    """Returns each item's true positives, false positives and false negatives of withheld combinations, [n, 3]."""
    times = _times(tables)
    columns = np.zeros((len(found), 3))
    for row, (right, ours) in enumerate(found):
        in_reference, in_output = _pairs(right, times), _pairs(ours, times)
        columns[row] = [
            sum(times[pair] for pair in pairs)
            for pairs in (in_reference & in_output, in_output - in_reference, in_reference - in_output)
        ]
    return columns


def holds_combination(found: Sequence[list[int]], tables: PropertyTables) -> list[bool]:
    """Returns, for each text, whether it names both properties of a withheld combination."""
    times = _times(tables)
    return [bool(_pairs(indices, times)) for indices in found]


def _times(tables: PropertyTables) -> dict[tuple[int, int], int]:
    """Returns how often each combination is listed, by the ordered indices of its names."""
    place = {name: index for index, name in enumerate(tables.names)}
    times: dict[tuple[int, int], int] = {}
    for first, second in tables.combinations:
        a, b = sorted((place[short_name(first)], place[short_name(second)]))
        times[a, b] = times.get((a, b), 0) + 1
    return times


def _pairs(indices: list[int], listed: dict[tuple[int, int], int]) -> set[tuple[int, int]]:
    return {pair for place, a in enumerate(indices) for b in indices[place:] if (pair := (a, b)) in listed}


def _of_counts(sums: np.ndarray, kind: int) -> np.ndarray:
    """Returns precision (0), recall (1) or F1 (2) from sums of counts: [..., 3] -> [...]."""
    return _precision_recall_f1(sums[..., 0], sums[..., 1], sums[..., 2])[kind]


def _precision_recall_f1(true: np.ndarray, false: np.ndarray, missed: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns precision, recall and F1, each with the shape of the counts; NaN where undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return true / (true + false), true / (true + missed), 2 * true / (2 * true + false + missed)
