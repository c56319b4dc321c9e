"""Encoded parts to the files of a preparation, each record to where it was decided that it belongs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.data.defects import CONFLICT as CONFLICTING
from scimind.data.defects import DUPLICATE as REPEATED
from scimind.data.prepare.encoded_parts import EncodedParts, Part
from scimind.data.prepare.fates import Decision, Index
from scimind.data.prepare.sinks import Rejects, Sink
from scimind.data.prepare.sources import TaskSource
from scimind.data.prepare.splitting import CONFLICT, DUPLICATE, EVALUATION, TEST, TRAIN
from scimind.data.prepare.summary import PrepareSummary
from scimind.modality import MODALITY_NAMES


@dataclass
class Counts:
    """What is counted while records are written."""

    lengths: Counter[int] = field(default_factory=Counter)
    tokens: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(MODALITY_NAMES), dtype=np.int64))
    answer_tokens: int = 0
    detected: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def fill(self, summary: PrepareSummary) -> None:
        """Fills the summary's counts."""
        summary.tokens = dict(zip(MODALITY_NAMES, self.tokens.tolist(), strict=True))
        summary.answer_tokens = self.answer_tokens
        summary.detected = dict(sorted(self.detected.items()))
        summary.labels = dict(sorted(self.labels.items(), key=lambda item: (-item[1], item[0])))
        summary.set_lengths(self.lengths)


@dataclass
class Emission:
    """Writes the records of one source.

    Args:
        source: The task and its files.
        parts: Its encoded records.
        index: Their lines and files.
        decision: What becomes of each.
        sinks: By fate: TRAIN, and EVALUATION and TEST where they are asked for.
        rejects: The list of what is left out.
        counts: What is counted.
        lists_conflicts: Whether other answers to the same question are listed.
        note: Takes what was found without marks: file, line, modality, sequence.
    """

    source: TaskSource
    parts: EncodedParts
    index: Index
    decision: Decision
    sinks: dict[int, Sink]
    rejects: Rejects
    counts: Counts
    lists_conflicts: bool
    note: Callable[[dict[str, Any]], None]

    @property
    def wanted(self) -> int:
        """Records that are written to learn from, repetitions included."""
        return int((self.decision.often.astype(np.int64) * self.index.rows).sum())

    def records(self) -> Iterator[None]:
        """Writes everything, and stops after each record that is written to learn from."""
        for turn in range(max(1, int(self.decision.often.max(initial=0)))):
            for number in range(len(self.parts)):
                yield from self._part(number, turn)

    def _part(self, number: int, turn: int) -> Iterator[None]:
        start, stop = self.index.starts[number : number + 2]
        often = self.decision.often[start:stop]
        if turn and not (often > turn).any():
            return
        part = self.parts.read(number)
        if turn == 0:
            self._count(part)
        fate, other = self.decision.fate[start:stop], self.decision.other[start:stop]
        waiting = dict(part.notes["rejects"]) if turn == 0 else {}
        rows = _Rows(part)
        for record, place in enumerate(part.arrays["place"].tolist()):
            while waiting and (first := next(iter(waiting))) <= place:
                self.rejects.add(waiting.pop(first))
            kind = int(fate[record])
            if turn == 0 and other[record] >= 0 and kind != -1:
                self._list(kind, part.notes["names"][record], int(start) + record, int(other[record]))
            if kind == TRAIN:
                for row in rows.of(record) if often[record] > turn else ():
                    self._write(rows, row, TRAIN)
                    yield
            elif kind in (EVALUATION, TEST) and turn == 0:
                for row in rows.of(record):
                    if not part.arrays["variant"][row]:
                        self._write(rows, row, kind)
        for entry in waiting.values():
            self.rejects.add(entry)

    def _write(self, rows: _Rows, row: int, kind: int) -> None:
        arrays = rows.part.arrays
        start, stop = rows.bounds[row : row + 2]
        # Copies: a slice that waits for its row would keep the whole part in memory.
        ids, labels = arrays["ids"][start:stop].copy(), arrays["labels"][start:stop].copy()
        self.sinks[kind].append(ids, labels, rows.texts[row])
        self.counts.tokens += arrays["kinds"][row]
        self.counts.answer_tokens += int(arrays["answer_tokens"][row])
        self.rejects.summary.truncated += bool(arrays["truncated"][row])

    def _place(self, record: int) -> tuple[str, int]:
        return str(self.source.files[int(self.index["path"][record])].path), int(self.index["line"][record])

    def _list(self, kind: int, name: str, record: int, other: int) -> None:
        """Lists a duplicate or a record that contradicts another one."""
        (path, line), (first, first_line) = self._place(record), self._place(other)
        where = f"{first}:{first_line}"
        entry: dict[str, Any] = {"file": path, "line": line}
        if kind == DUPLICATE:
            entry |= {"kind": "duplicate", "defect": REPEATED, "reason": f"question and answer are those of {where}"}
        elif kind == CONFLICT or self.lists_conflicts:
            reason = f"{where} answers the same question differently"
            entry |= {"kind": "conflict", "defect": CONFLICTING, "reason": reason}
            entry |= {"kept": True} if kind != CONFLICT else {}
        else:
            return
        self.rejects.add(entry | {"id": name})

    def _count(self, part: Part) -> None:
        summary, arrays = self.rejects.summary, part.arrays
        summary.read += part.notes["read"]
        summary.repaired += int((arrays["repairs"] > 0).sum())
        self.counts.lengths.update(length for length in arrays["length"].tolist() if length)
        self.counts.labels.update(label for _, label in part.notes["labelled"])
        files, lines = arrays["path"].tolist(), arrays["line"].tolist()
        for record, tag, sequence in part.notes["detected"]:
            self.counts.detected[tag] += 1
            path = str(self.source.files[files[record]].path)
            self.note({"file": path, "line": lines[record], "modality": tag, "sequence": sequence})


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


def interleave(streams: Sequence[Emission]) -> None:
    """Writes all streams, their records to learn from evenly mixed."""
    wanted = [max(1, stream.wanted) for stream in streams]
    running = {number: stream.records() for number, stream in enumerate(streams)}
    done = [0] * len(streams)
    while running:
        number = min(running, key=lambda number: ((done[number] + 0.5) / wanted[number], number))
        done[number] += 1
        if next(running[number], _ENDED) is _ENDED:
            del running[number]


_ENDED = object()
