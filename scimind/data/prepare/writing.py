"""Writes encoded parts to the files of a preparation, each record according to its fate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.data import defects
from scimind.data.defects import Change
from scimind.data.prepare.encoded_parts import EncodedParts, Part
from scimind.data.prepare.fates import NO_RECORD, Decision, Fate
from scimind.data.prepare.result_files import JsonLines, Rejects, SplitFiles
from scimind.data.prepare.sources import TaskSource
from scimind.errors import excerpt
from scimind.modality import MODALITY_NAMES

_ENDED = object()


@dataclass
class RecordCounts:
    """The counts of records made while they are written.

    Args:
        read: Number of records found, including faulty ones.
        contradictory: Number of usable records with the question of another one and a different answer.
        repaired: Number of records whose molecules had doubled backslashes.
        truncated: Number of written records that were cut.
        lengths: Number of records of each length in ids before any cut, over all that could be encoded.
        tokens: Number of ids of the written records [modalities].
        answer_tokens: Number of labels of the written records.
        detected: Number of detected untagged sequences, by modality.
        labels: Number of records of each label.
        readings: How often something was read differently from how it is written, or not used, by what was done.
    """

    read: int = 0
    contradictory: int = 0
    repaired: int = 0
    truncated: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    tokens: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(MODALITY_NAMES), dtype=np.int64))
    answer_tokens: int = 0
    detected: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    readings: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: RecordCounts) -> RecordCounts:
        """Returns the sum of both counts."""
        return RecordCounts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass
class RecordWriter:
    """Writes the records of one source.

    Args:
        source: The task and its files.
        parts: Its encoded records.
        decision: The fate of each record.
        splits: The files for each fate: TRAIN, and EVALUATION and TEST if requested.
        rejects: The list of records that are left out.
        detected: The list of detected untagged sequences.
        lists_conflicts: Whether contradictory records that are kept are listed.
    """

    source: TaskSource
    parts: EncodedParts
    decision: Decision
    splits: Mapping[Fate, SplitFiles]
    rejects: Rejects
    detected: JsonLines
    lists_conflicts: bool = False
    counts: RecordCounts = field(default_factory=RecordCounts, init=False)

    @property
    def learnt(self) -> int:
        """Number of training rows that are written, including repetitions."""
        return int((self.decision.often.astype(np.int64) * self.decision.index.rows).sum())

    def records(self) -> Iterator[None]:
        """Writes everything, and yields after each training row."""
        self.counts.contradictory = self.decision.contradictory
        for turn in range(max(1, int(self.decision.often.max(initial=0)))):
            for number in range(len(self.parts)):
                yield from self._part(number, turn)

    def _part(self, number: int, turn: int) -> Iterator[None]:
        """Writes a part: all of it in the first turn, only repeated training records later."""
        start, stop = self.decision.index.starts[number : number + 2]
        often = self.decision.often[start:stop]
        if turn and not (often > turn).any():
            return
        part = self.parts.read(number)
        rows = _Rows(part)
        if turn:
            for record in np.flatnonzero(often > turn).tolist():
                yield from self._learn(rows, record)
            return
        self._count(part)
        fates, others = self.decision.fate[start:stop].tolist(), self.decision.other[start:stop].tolist()
        faulty = dict(part.notes["rejects"])  # by place among all records read
        changes: dict[int, list[Change]] = {}
        for record, *change in part.notes["changes"]:
            changes.setdefault(record, []).append(Change(*change))
        for record, place in enumerate(part.arrays["place"].tolist()):
            while faulty and (first := next(iter(faulty))) <= place:
                self.rejects.add(faulty.pop(first))
            fate = Fate(fates[record])
            if others[record] != NO_RECORD:
                self._list(fate, part.notes["names"][record], int(start) + record, others[record])
            if fate in (Fate.TRAIN, Fate.EVALUATION, Fate.TEST):
                self._list_changes(changes.get(record, ()), part.notes["names"][record], int(start) + record)
            if fate == Fate.TRAIN and often[record]:
                yield from self._learn(rows, record)
            elif fate in (Fate.EVALUATION, Fate.TEST):
                for row in rows.of(record):
                    if not part.arrays["variant"][row]:
                        self._write(rows, row, fate)
        for entry in faulty.values():
            self.rejects.add(entry)

    def _learn(self, rows: _Rows, record: int) -> Iterator[None]:
        for row in rows.of(record):
            self._write(rows, row, Fate.TRAIN)
            yield

    def _write(self, rows: _Rows, row: int, fate: Fate) -> None:
        arrays = rows.part.arrays
        start, stop = rows.bounds[row : row + 2]
        # Copies, since a slice that waits for its row would keep the whole part in memory.
        ids, labels = arrays["ids"][start:stop].copy(), arrays["labels"][start:stop].copy()
        self.splits[fate].append(ids, labels, rows.texts[row])
        self.counts.tokens += arrays["kinds"][row]
        self.counts.answer_tokens += int(arrays["answer_tokens"][row])
        self.counts.truncated += bool(arrays["truncated"][row])

    def _place(self, record: int) -> tuple[str, int]:
        index = self.decision.index
        return str(self.source.files[int(index["path"][record])].path), int(index["line"][record])

    def _list(self, fate: Fate, name: str, record: int, other: int) -> None:
        """Lists a duplicate, or a record that contradicts another one."""
        (path, line), (first, first_line) = self._place(record), self._place(other)
        where = f"{first}:{first_line}"
        entry: dict[str, Any] = {"file": path, "line": line}
        if fate == Fate.DUPLICATE:
            reason = f"same question and answer as {where}"
            entry |= {"kind": "duplicate", "defect": defects.DUPLICATE, "reason": reason}
        elif fate == Fate.CONFLICT or self.lists_conflicts:
            reason = f"{where} answers the same question differently"
            entry |= {"kind": "conflict", "defect": defects.CONFLICT, "reason": reason}
            entry |= {"kept": True} if fate != Fate.CONFLICT else {}
        else:
            return
        self.rejects.add(entry | {"id": name})

    def _list_changes(self, changes: Sequence[Change], name: str, record: int) -> None:
        """Lists what was changed in the values of a record that is kept."""
        path, line = self._place(record)
        for change in changes:
            entry = {"file": path, "line": line, "kind": "repaired", "defect": change.defect, "reason": change.reason}
            self.rejects.add(entry | {"text": excerpt(change.text), "kept": True, "id": name})

    def _count(self, part: Part) -> None:
        """Counts the records of a part, and lists their detected sequences."""
        arrays, counts = part.arrays, self.counts
        counts.read += part.notes["read"]
        counts.repaired += int((arrays["repairs"] > 0).sum())
        counts.lengths.update(length for length in arrays["length"].tolist() if length)
        counts.readings.update(part.notes["readings"])
        counts.labels.update(label for _, label in part.notes["labelled"])
        files, lines = arrays["path"].tolist(), arrays["line"].tolist()
        for record, tag, sequence in part.notes["detected"]:
            counts.detected[tag] += 1
            path = str(self.source.files[files[record]].path)
            self.detected.add({"file": path, "line": lines[record], "modality": tag, "sequence": sequence})


class _Rows:
    """The rows of a part, by record."""

    def __init__(self, part: Part) -> None:
        self.part, self.texts = part, list(part.texts())
        self.bounds = np.r_[0, np.cumsum(part.arrays["size"])].tolist()
        owner = part.arrays["owner"]
        self._starts = np.searchsorted(owner, np.arange(len(part.arrays["place"]) + 1)).tolist()

    def of(self, record: int) -> range:
        """Returns the rows of a record."""
        return range(self._starts[record], self._starts[record + 1])


def write_interleaved(writers: Sequence[RecordWriter]) -> RecordCounts:
    """Writes all records, with the training records of all sources evenly mixed, and returns the counts."""
    learnt = [max(1, writer.learnt) for writer in writers]
    running = {number: writer.records() for number, writer in enumerate(writers)}
    done = [0] * len(writers)
    while running:
        number = min(running, key=lambda number: ((done[number] + 0.5) / learnt[number], number))
        done[number] += 1
        if next(running[number], _ENDED) is _ENDED:
            del running[number]
    return sum((writer.counts for writer in writers), RecordCounts())
