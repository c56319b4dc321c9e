"""Where prepared records go: the files of a split, and the list of those that were left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from scimind.data.conversation import Conversation
from scimind.data.encoding import EncodedRecord
from scimind.data.mindrecord import MindRecordWriter
from scimind.data.packing import Packer
from scimind.data.summary import PrepareSummary
from scimind.errors import DataError, SciMindError


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
        self._writer = MindRecordWriter(folder / f"{name}.mindrecord", seq_length, pad_id)
        self._packer = Packer(self._writer.width) if packed else None
        self._json = (folder / f"{name}.json").open("w", encoding="utf-8", newline="\n")

    def append(self, record: EncodedRecord) -> None:
        """Adds a record that fits."""
        assert record.ids is not None and record.labels is not None
        self._json.write(",\n" if self.records else "[\n")
        self._json.write(record.json)
        self.records += 1
        if self._packer is None:
            self._writer.append(record.ids, record.labels)
            return
        for row in self._packer.add(record.ids, record.labels):
            self._writer.append(*row)

    def close(self, summary: PrepareSummary) -> None:
        """Completes the files and adds their counts to the summary."""
        if not self.records:
            raise SciMindError(f"no record for {self.name}; give more records or another --eval-fraction")
        self._json.write("\n]\n")
        self._json.close()
        for row in [] if self._packer is None else self._packer.take():
            self._writer.append(*row)
        self._writer.close()
        summary.written += self.records
        summary.rows += self._writer.count

    def abandon(self) -> None:
        """Lets go of the file where `close` was not reached."""
        self._json.close()


class Rejects:
    """The records that were left out, a JSON object a line; the file is made with the first one."""

    def __init__(self, path: Path, summary: PrepareSummary, stop: bool) -> None:
        self._path, self.summary, self._stop = path, summary, stop
        self._file: TextIO | None = None

    def add_faulty(self, error: DataError) -> None:
        """Notes a faulty record, or raises its error where the first one is to stop."""
        if self._stop:
            raise error
        self._add("faulty", error.path, error.line, error.reason)

    def add_long(self, record: Conversation, length: int, seq_length: int) -> None:
        """Notes a record that does not fit."""
        self._add("too long", record.path, record.line, f"{length} ids, room for {seq_length + 1}", record.id)

    def _add(self, kind: str, path: object, line: int | None, reason: str, identity: str | None = None) -> None:
        self.summary.dropped[kind] += 1
        entry = {"file": str(path), "line": line, "kind": kind, "reason": reason}
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="\n")
        self._file.write(json.dumps(entry if identity is None else entry | {"id": identity}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Completes the list."""
        if self._file is not None:
            self._file.close()
