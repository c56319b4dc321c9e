"""Decides the fate of each record of a preparation: trained on (and how often), set aside, or left out.

This takes a few numbers of memory per record. All decisions depend on digests, hence not on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.data.prepare.clusters import cluster_entities
from scimind.data.prepare.encoded_parts import EncodedParts
from scimind.data.prepare.sources import TaskSource
from scimind.data.prepare.splitting import Split, set_aside, spread
from scimind.errors import SciMindError

NO_RECORD = -1  # in place of another record's number

_COLUMNS = ("entity", "group", "question", "answer", "line", "path", "tag")
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Fate(IntEnum):
    """The fate of a record."""

    TRAIN = 0
    EVALUATION = 1
    TEST = 2
    DUPLICATE = 3  # an earlier record has the same question and answer
    CONFLICT = 4  # another record answers the same question differently
    UNUSABLE = 5  # the record is faulty, or does not fit


@dataclass(frozen=True)
class Index:
    """The records of a source.

    Args:
        columns: Digests, lines, file numbers and tags of the records [n], by name.
        rows: Number of training rows of each record [n]; 0 if it is faulty or too long.
        starts: The number of the first record of each part, and n.
    """

    columns: dict[str, NDArray[np.uint64]]
    rows: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, parts: EncodedParts) -> Index:
        """Returns the index of the records in parts."""
        columns: dict[str, list[NDArray[np.uint64]]] = {name: [np.zeros(0, np.uint64)] for name in _COLUMNS}
        rows, starts = [np.zeros(0, np.int32)], [0]
        for number in range(len(parts)):
            arrays = parts.read(number, *_COLUMNS, "owner").arrays
            for name in _COLUMNS:
                columns[name].append(arrays[name].astype(np.uint64))
            count = len(arrays["entity"])
            rows.append(np.bincount(arrays["owner"], minlength=count).astype(np.int32))
            starts.append(starts[-1] + count)
        joined = {name: np.concatenate(values) for name, values in columns.items()}
        return cls(joined, np.concatenate(rows), np.array(starts))

    def __getitem__(self, name: str) -> NDArray[np.uint64]:
        return self.columns[name]


@dataclass(frozen=True)
class Decision:
    """The fates of the records of a source.

    Args:
        index: The records.
        fate: The `Fate` of each record [n].
        other: The record that it duplicates or contradicts [n]; else `NO_RECORD`.
        often: Number of times that each record is trained on [n].
        contradictory: Number of usable records with the question of another one and a different answer.
    """

    index: Index
    fate: NDArray[np.int8]
    other: NDArray[np.int64]
    often: NDArray[np.int32]
    contradictory: int = 0


def decide(
    sources: Sequence[EncodedParts],
    split: Split,
    conflicts: Sequence[str],
    *,
    keep_duplicates: bool,
    identity: float,
) -> list[Decision]:
    """Returns the fates of the records of each source, with each training record used once; sources share their splits.

    Args:
        sources: The parts of each source.
        split: How records are set aside.
        conflicts: What is done with contradictory records of each source, one of `CONFLICTS`; see `Task`.
        keep_duplicates: Whether duplicates are kept.
        identity: See `cluster`.
    """
    indexes = [Index.of(parts) for parts in sources]
    left_out = [_left_out(*pair, keep_duplicates) for pair in zip(indexes, conflicts, strict=True)]
    fates = np.concatenate([fate for fate, *_ in left_out])
    entity = np.concatenate([index["entity"] for index in indexes])
    if split.by == "cluster":
        group = cluster_entities(sources, entity, identity)
    else:
        group = np.concatenate([index["group"] for index in indexes])
    eligible = fates == Fate.TRAIN
    evaluation, test = set_aside(split, entity, group, eligible)
    fates[eligible & evaluation] = Fate.EVALUATION
    fates[eligible & test] = Fate.TEST
    decisions, start = [], 0
    for index, (_, other, contradictory) in zip(indexes, left_out, strict=True):
        fate, start = fates[start : start + len(other)], start + len(other)
        decisions.append(Decision(index, fate, other, (fate == Fate.TRAIN).astype(np.int32), contradictory))
    return decisions


def _left_out(index: Index, conflicts: str, keep_duplicates: bool) -> tuple[NDArray[np.int8], NDArray[np.int64], int]:
    """Returns fates of records that are left out (TRAIN for others), the records that are the reason, and conflicts."""
    fate = np.full(len(index.rows), Fate.TRAIN, dtype=np.int8)
    other = np.full(len(index.rows), NO_RECORD, dtype=np.int64)
    fate[index.rows == 0] = Fate.UNUSABLE
    usable = np.flatnonzero(index.rows > 0)
    question, answer = index["question"][usable], index["answer"][usable]
    contrary = find_conflicts(question, answer)
    has = contrary != NO_RECORD
    refused = has
    if conflicts == "first":  # `find_conflicts` names the first record of a question for those that contradict it
        _, first, place = np.unique(question, return_index=True, return_inverse=True)
        refused = has & (contrary == first[place])
    if conflicts != "keep":
        other[usable[refused]] = usable[contrary[refused]]
    if conflicts in ("first", "drop"):
        fate[usable[refused]] = Fate.CONFLICT
    if not keep_duplicates:
        first = usable[find_duplicates(question, answer)]
        again = (first != usable) & (fate[usable] == Fate.TRAIN)
        fate[usable[again]], other[usable[again]] = Fate.DUPLICATE, first[again]
    return fate, other, int(has.sum())


def find_duplicates(question: NDArray[np.uint64], answer: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns, for each record, the number of the first one with the same question and answer, which may be itself."""
    with np.errstate(over="ignore"):
        both = question * _MIX ^ answer
    _, first, place = np.unique(both, return_index=True, return_inverse=True)
    return first[place]


def find_conflicts(question: NDArray[np.uint64], answer: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns, for each record, the first one with the same question but another answer, or `NO_RECORD`."""
    order = np.lexsort((np.arange(len(question)), question))
    asked, answered = question[order], answer[order]
    starts = np.flatnonzero(np.r_[True, asked[1:] != asked[:-1]]) if len(asked) else np.zeros(0, dtype=np.int64)
    contrary = np.full(len(question), NO_RECORD, dtype=np.int64)
    stops = np.r_[starts[1:], len(asked)]
    several = stops - starts > 1
    for start, stop in zip(starts[several], stops[several], strict=True):
        if (answered[start:stop] != answered[start]).any():
            other = start + int(np.argmax(answered[start:stop] != answered[start]))
            same = answered[start:stop] == answered[start]
            contrary[order[start:stop]] = np.where(same, order[other], order[start])
    return contrary


def mix(
    sources: Sequence[TaskSource],
    decisions: Sequence[Decision],
    temperature: float,
    records: int | None,
    seed: int,
) -> tuple[list[Decision], dict[str, dict[str, Any]]]:
    """Returns decisions on how often each record of a mixture is trained on, and the counts of each task by name.

    Args:
        sources: The tasks.
        decisions: The decisions of each task, with every training record used once.
        temperature: See `shares`.
        records: Total number of training records; None takes as many as there are.
        seed: Seed of the choice of records that are used more often.

    Returns:
        The decisions, and for each task its entry in the summary's `tasks`.

    Raises:
        SciMindError: A task has no training record.
    """
    sizes = [int((decision.fate == Fate.TRAIN).sum()) for decision in decisions]
    if empty := [source.name for source, size in zip(sources, sizes, strict=True) if not size]:
        raise SciMindError(f"{empty[0]} has no training record; see its rejects, or leave it out of the mixture")
    total = records or sum(sizes)
    mixed, counts = [], {}
    parts = shares(sizes, [source.weight for source in sources], temperature)
    for source, decision, size, share in zip(sources, decisions, sizes, parts, strict=True):
        wanted = round(total * share)
        index, often = decision.index, decision.often.copy()
        chosen = decision.fate == Fate.TRAIN
        keys = index["question"][chosen] ^ (index["answer"][chosen] >> 1)
        often[chosen] = repeats(wanted, keys, f"{seed} {source.name}")
        mixed.append(replace(decision, often=often))
        counts[source.name] = {
            "task": source.task.name,
            "read": len(index.rows),
            "train": size,
            "wanted": wanted,
            "epochs": wanted / size,
            "share": share,
        }
    return mixed, counts


def repeats(wanted: int, keys: NDArray[np.uint64], seed: int | str) -> NDArray[np.int32]:
    """Returns how often each of n records is used, so that the total is `wanted` and no two differ by more than 1."""
    often = np.full(len(keys), wanted // len(keys), dtype=np.int32)
    left = wanted % len(keys)
    often[np.argsort(spread(keys, seed), kind="stable")[:left]] += 1
    return often


def shares(sizes: Sequence[int], weights: Sequence[float | None], temperature: float) -> list[float]:
    """Returns the share of each task of a mixture.

    Args:
        sizes: Number of records of each task.
        weights: The weight of each task; None means size^(1 / temperature).
        temperature: 1 keeps the proportions of the sizes, a larger value makes shares more equal.
    """
    raw = [size ** (1 / temperature) if weight is None else weight for size, weight in zip(sizes, weights, strict=True)]
    return [value / sum(raw) for value in raw]
