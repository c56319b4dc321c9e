"""Where prepared records go: the files of a split, and the list of those that were left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from scimind.data.conversation import Conversation
from scimind.data.fitting import Fitted, Fitter
from scimind.data.mindrecord import MindRecordWriter
from scimind.data.rendering import IGNORED_LABEL
from scimind.data.summary import PrepareSummary
from scimind.errors import DataError, SciMindError
from scimind.modality import MODALITY_NAMES, modality_of, modality_table


class Sink:
    """The files of one split."""

    def __init__(self, folder: Path, name: str, fitter: Fitter) -> None:
        codec = fitter.codec
        self.name, self.writer = name, MindRecordWriter(folder / f"{name}.mindrecord", fitter.seq_length, codec.pad_id)
        self._json = (folder / f"{name}.json").open("w", encoding="utf-8", newline="\n")
        self._table = modality_table(codec.vocab_size, codec.modality_ranges)
        self._tokens = np.zeros(len(MODALITY_NAMES), dtype=np.int64)
        self._answer_tokens = 0

    def append(self, fitted: Fitted) -> None:
        """Adds a record."""
        self._json.write(",\n" if self.writer.count else "[\n")
        self._json.write(json.dumps(fitted.conversation.to_json(), ensure_ascii=False))
        self.writer.append(fitted.ids, fitted.labels)
        self._tokens += np.bincount(modality_of(fitted.ids, self._table), minlength=len(MODALITY_NAMES))
        self._answer_tokens += len(fitted.labels) - fitted.labels.count(IGNORED_LABEL)

    def close(self, summary: PrepareSummary) -> None:
        """Completes the files and adds their counts to the summary."""
        if not self.writer.count:
            raise SciMindError(f"no record for {self.name}; give more records or another --eval-fraction")
        self._json.write("\n]\n")
        self._json.close()
        self.writer.close()
        summary.written += self.writer.count
        summary.answer_tokens += self._answer_tokens
        for modality, count in zip(MODALITY_NAMES, self._tokens, strict=True):
            summary.tokens[modality] = summary.tokens.get(modality, 0) + int(count)

    def abandon(self) -> None:
        """Lets go of the file where `close` was not reached."""
        self._json.close()


class Rejects:
    """The records that were left out, a JSON object a line; the file is made with the first one."""

    def __init__(self, path: Path, summary: PrepareSummary, stop: bool) -> None:
        self._path, self.summary, self._stop = path, summary, stop
        self._lines: list[str] = []

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
        self._lines.append(json.dumps(entry if identity is None else entry | {"id": identity}, ensure_ascii=False))

    def close(self) -> None:
        """Writes the list if there is something in it."""
        if self._lines:
            self._path.write_text("".join(line + "\n" for line in self._lines), encoding="utf-8", newline="\n")
