"""The files that records are written to: those of each split, the list of rejects, the list of detected sequences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from scimind.data.encode.packing import Packer
from scimind.data.prepare.mindrecord import MindRecordWriter
from scimind.errors import SciMindError


@dataclass(frozen=True)
class SplitCounts:
    """The contents of the files of one split.

    Args:
        name: Prefix of their names.
        records: Number of records in them.
        rows: Number of rows of the MindRecord file; equal to `records` unless records share rows.
        lengths: Number of records of each length in ids.
    """

    name: str
    records: int
    rows: int
    lengths: Counter[int]


class SplitFiles:
    """The files of one split.

    Args:
        folder: Folder of the files.
        name: Prefix of their names.
        seq_length: Sequence length s of the model; rows have s + 1 columns.
        pad_id: The padding id.
        packed: Whether a row may hold several records.
    """

    def __init__(self, folder: Path, name: str, seq_length: int, pad_id: int, *, packed: bool) -> None:
        self.name, self.records = name, 0
        self._lengths: Counter[int] = Counter()
        self._writer = MindRecordWriter(folder / f"{name}.mindrecord", seq_length, pad_id)
        self._packer = Packer(self._writer.width) if packed else None
        self._json = (folder / f"{name}.json").open("w", encoding="utf-8", newline="\n")

    def append(self, ids: NDArray[np.int32], labels: NDArray[np.int32], text: str) -> None:
        """Adds a record, which must fit, and its JSON."""
        self._json.write(",\n" if self.records else "[\n")
        self._json.write(text)
        self.records += 1
        self._lengths[len(ids)] += 1
        if self._packer is None:
            self._writer.append(ids, labels)
            return
        for row in self._packer.add(ids, labels):
            self._writer.append(*row)

    def close(self) -> SplitCounts:
        """Completes the files and returns their counts.

        Raises:
            SciMindError: They hold no record, or cannot be written.
        """
        if not self.records:
            share = "--test-fraction" if self.name.endswith("_test") else "--eval-fraction"
            raise SciMindError(f"no record for {self.name}; give more records or another {share}")
        self._json.write("\n]\n")
        self._json.close()
        for row in [] if self._packer is None else self._packer.take():
            self._writer.append(*row)
        self._writer.close()
        return SplitCounts(self.name, self.records, self._writer.count, self._lengths)

    def abandon(self) -> None:
        """Closes the open file if `close` was not reached."""
        self._json.close()


class JsonLines:
    """A file of JSON objects, one per line, which is created with its first object."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def add(self, entry: dict[str, Any]) -> None:
        """Writes an object."""
        if self._file is None:
            # The text of a record may have half a surrogate pair, which becomes the escape that JSON has for it.
            self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Closes the file, if it was created."""
        if self._file is not None:
            self._file.close()


@dataclass
class RejectCounts:
    """The counts of the list of rejects.

    Args:
        dropped: Number of records that were left out, by kind.
        defects: The same records, by defect.
        kept: Number of entries that were listed but not left out, by defect.
        first: The entry of the first faulty record.
    """

    dropped: Counter[str] = field(default_factory=lambda: Counter({"faulty": 0, "too long": 0}))
    defects: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    first: dict[str, Any] | None = None


class Rejects:
    """The list of the records that were left out or repaired."""

    def __init__(self, path: Path) -> None:
        self._lines = JsonLines(path)
        self.counts = RejectCounts()

    def add(self, entry: dict[str, Any]) -> None:
        """Lists a record.

        Args:
            entry: `file`, `line`, `kind` (`faulty`, `too long`, `duplicate`, `conflict`, `repaired`), `defect`,
                `reason`, optionally `id`, `text`, and `kept` if it was not left out.
        """
        counts = self.counts
        if entry.get("kept"):
            counts.kept[entry["defect"]] += 1
        else:
            counts.dropped[entry["kind"]] += 1
            counts.defects[entry["defect"]] += 1
        if entry["kind"] == "faulty":
            counts.first = counts.first or entry
        self._lines.add(entry)

    def close(self) -> None:
        """Closes the list."""
        self._lines.close()


class ResultFiles:
    """All files that records are written to; leaving the context closes those that are open.

    Args:
        folder: Folder of the files.
        name: Prefix of the names of the lists.
        splits: The files of each split.
    """

    def __init__(self, folder: Path, name: str, splits: Iterable[SplitFiles]) -> None:
        self.splits = {split.name: split for split in splits}
        self.rejects = Rejects(folder / f"{name}.rejects.jsonl")
        self.detected = JsonLines(folder / f"{name}.detected.jsonl")

    def __enter__(self) -> ResultFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rejects.close()
        self.detected.close()
        for split in self.splits.values():
            split.abandon()
