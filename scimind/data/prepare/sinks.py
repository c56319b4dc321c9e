"""Where prepared records go: the files of a split, and the list of those that were left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from scimind.data.encode.packing import Packer
from scimind.data.prepare.mindrecord import MindRecordWriter
from scimind.data.prepare.summary import PrepareSummary
from scimind.errors import SciMindError


class Sink:
    """The files of one split.

    Args:
        folder: Where they are written.
        name: First part of their names.
        seq_length: Positions s of the model; rows have s + 1 columns.
        pad_id: The id that fills a row.
        packed: Whether a row holds several records.
    """

    def __init__(self, folder: Path, name: str, seq_length: int, pad_id: int, *, packed: bool) -> None:
        self.name, self.records = name, 0
        self.lengths: Counter[int] = Counter()
        self._writer = MindRecordWriter(folder / f"{name}.mindrecord", seq_length, pad_id)
        self._packer = Packer(self._writer.width) if packed else None
        self._json = (folder / f"{name}.json").open("w", encoding="utf-8", newline="\n")

    def append(self, ids: NDArray[np.int32], labels: NDArray[np.int32], text: str) -> None:
        """Adds a record that fits, and its JSON."""
        self._json.write(",\n" if self.records else "[\n")
        self._json.write(text)
        self.records += 1
        self.lengths[len(ids)] += 1
        if self._packer is None:
            self._writer.append(ids, labels)
            return
        for row in self._packer.add(ids, labels):
            self._writer.append(*row)

    def close(self, summary: PrepareSummary) -> None:
        """Completes the files and adds their counts to the summary."""
        if not self.records:
            share = "--test-fraction" if self.name.endswith("_test") else "--eval-fraction"
            raise SciMindError(f"no record for {self.name}; give more records or another {share}")
        self._json.write("\n]\n")
        self._json.close()
        for row in [] if self._packer is None else self._packer.take():
            self._writer.append(*row)
        self._writer.close()
        summary.written += self.records
        summary.rows += self._writer.count
        summary.splits[self.name] = self.records

    def abandon(self) -> None:
        """Lets go of the file where `close` was not reached."""
        self._json.close()


class Rejects:
    """The records that were left out or mended, a JSON object a line; the file is made with the first one."""

    def __init__(self, path: Path, summary: PrepareSummary) -> None:
        self._path, self.summary = path, summary
        self.first: dict[str, Any] | None = None  # the first faulty record
        self._file: TextIO | None = None

    def add(self, entry: dict[str, Any]) -> None:
        """Notes a record.

        Args:
            entry: `file`, `line`, `kind` (`faulty`, `too long`, `duplicate`, `conflict`, `repaired`), `defect`,
                `reason`, perhaps `id`, `text`, and `kept` where it was not left out.
        """
        if entry.get("kept"):
            self.summary.kept[entry["defect"]] = self.summary.kept.get(entry["defect"], 0) + 1
        else:
            kind, defect = entry["kind"], entry["defect"]
            self.summary.dropped[kind] = self.summary.dropped.get(kind, 0) + 1
            self.summary.defects[defect] = self.summary.defects.get(defect, 0) + 1
        if entry["kind"] == "faulty":
            self.first = self.first or entry
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="\n")
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Completes the list."""
        if self._file is not None:
            self._file.close()
