"""What becomes of the records of all sources of a preparation, from the numbers that their parts hold of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scimind.data.prepare import splitting
from scimind.data.prepare.clusters import cluster
from scimind.data.prepare.encoded_parts import EncodedParts
from scimind.data.prepare.splitting import CONFLICT, DUPLICATE, TRAIN, Split
from scimind.tokenizer.alphabet import TAG_CHARACTERS

TOO_LONG = -1  # no row of the record fits; or it is faulty

_COLUMNS = ("entity", "group", "question", "answer", "line", "path", "tag")
_TAGS = ("", *TAG_CHARACTERS)


@dataclass(frozen=True)
class Index:
    """The records of a source: digests, lines, files and tags [n], how many rows each has to learn from, and whether it
    has any."""

    columns: dict[str, NDArray[np.uint64]]
    rows: NDArray[np.int32]
    starts: NDArray[np.int64]  # the number of each part's first record, and n

    @classmethod
    def of(cls, parts: EncodedParts) -> Index:
        """Returns the index of parts."""
        columns: dict[str, list[NDArray[np.uint64]]] = {name: [np.zeros(0, np.uint64)] for name in _COLUMNS}
        rows, starts = [np.zeros(0, np.int32)], [0]
        for number in range(len(parts)):
            arrays = parts.read(number, *_COLUMNS, "owner").arrays
            for name in _COLUMNS:
                columns[name].append(arrays[name].astype(np.uint64))
            count = len(arrays["entity"])
            rows.append(np.bincount(arrays["owner"], minlength=count).astype(np.int32))
            starts.append(starts[-1] + count)
        found = {name: np.concatenate(values) for name, values in columns.items()}
        return cls(found, np.concatenate(rows), np.array(starts))

    def __getitem__(self, name: str) -> NDArray[np.uint64]:
        return self.columns[name]


@dataclass(frozen=True)
class Decision:
    """What becomes of the records of a source.

    Args:
        fate: TRAIN, EVALUATION, TEST, DUPLICATE, CONFLICT or TOO_LONG [n].
        other: The record of which it is a duplicate or which it contradicts [n]; -1 for none.
        often: How often a record is learnt from [n].
    """

    fate: NDArray[np.int8]
    other: NDArray[np.int64]
    often: NDArray[np.int32]


def decide(
    sources: Sequence[EncodedParts],
    split: Split,
    conflicts: Sequence[str],
    *,
    keep_duplicates: bool,
    identity: float,
) -> list[tuple[Index, Decision]]:
    """Returns what becomes of the records of each source, each once if at all; sources share their splits.

    Args:
        sources: The parts of each.
        split: How records are set aside.
        conflicts: Of each source's task, see `Task`.
        keep_duplicates: Whether records that are equal stay.
        identity: See `cluster`.
    """
    found = []
    for parts, policy in zip(sources, conflicts, strict=True):
        index = Index.of(parts)
        fate, other = _left_out(index, keep_duplicates, policy)
        found.append((index, fate, other))
    entity = np.concatenate([index["entity"] for index, _, _ in found])
    group = np.concatenate([index["group"] for index, _, _ in found])
    fates = np.concatenate([fate for _, fate, _ in found])
    if split.by == "cluster":
        group = _clusters(sources, [index for index, _, _ in found], identity)
    assigned = splitting.assign(split, entity, group, fates == TRAIN)
    fates[fates == TRAIN] = assigned[fates == TRAIN]
    decisions, start = [], 0
    for index, fate, other in found:
        fate, start = fates[start : start + len(fate)], start + len(fate)
        decisions.append((index, Decision(fate, other, (fate == TRAIN).astype(np.int32))))
    return decisions


def _left_out(index: Index, keep_duplicates: bool, policy: str) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Returns the fate of records as far as it is to be left out, and the other record that is the reason."""
    fate = np.full(len(index.rows), TRAIN, dtype=np.int8)
    other = np.full(len(index.rows), -1, dtype=np.int64)
    fate[index.rows == 0] = TOO_LONG
    fit = np.flatnonzero(index.rows > 0)
    question, answer = index["question"][fit], index["answer"][fit]
    if policy != "keep":
        contrary = splitting.find_conflicts(question, answer)
        has = contrary >= 0
        other[fit[has]] = fit[contrary[has]]
        if policy == "drop":
            fate[fit[has]] = CONFLICT
    if not keep_duplicates:
        first = fit[splitting.find_duplicates(question, answer)]
        again = (first != fit) & (fate[fit] == TRAIN)
        fate[fit[again]], other[fit[again]] = DUPLICATE, first[again]
    return fate, other


def _clusters(sources: Sequence[EncodedParts], indexes: Sequence[Index], identity: float) -> NDArray[np.uint64]:
    """Returns the group of each record of all sources: its cluster's first entity, or its entity where it is text."""
    sequences: dict[str, dict[int, str]] = {tag: {} for tag in ("protein", "dna", "rna")}
    for parts in sources:
        for number in range(len(parts)):
            part = parts.read(number, "entity", "tag")
            rows = zip(
                part.arrays["tag"].tolist(), part.arrays["entity"].tolist(), part.notes["sequences"], strict=True
            )
            for tag, entity, sequence in rows:
                if _TAGS[tag] in sequences:
                    sequences[_TAGS[tag]].setdefault(entity, sequence)
    group = np.concatenate([index["entity"] for index in indexes])
    for tag, known in sequences.items():
        if not known:
            continue
        keys = np.fromiter(known, np.uint64, len(known))
        heads = keys[cluster(list(known.values()), tag, identity)]
        order = np.argsort(keys)
        place = np.searchsorted(keys[order], group).clip(max=len(keys) - 1)
        is_one = keys[order][place] == group
        group = np.where(is_one, heads[order][place], group)
    return group
