"""Turns the files of one task into encoded parts on disk: reads in this process, encodes in several."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from scimind.data.content.fields import FieldOptions
from scimind.data.defects import TOO_LONG, RecordError, defect_of
from scimind.data.encode.records import EncodedRecords, Fault, RecordEncoder, encode_tasks
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import size_of
from scimind.data.formats.rows import Row
from scimind.data.prepare.encoded_parts import EncodedParts, Part
from scimind.data.tasks.task import Task
from scimind.errors import DataError, SciMindError, excerpt


@dataclass(frozen=True)
class LabelledFile:
    """A file, and the label of all its records if the user gives one (`yes=FILE`)."""

    path: Path
    label: str | None = None

    @classmethod
    def parse(cls, text: str | Path, folder: Path = Path()) -> LabelledFile:
        """Returns the file that a text names, relative to a folder; an existing file of that whole name comes first."""
        label, sign, rest = str(text).partition("=")
        if not sign or "/" in label or (folder / text).exists():
            return cls(folder / text)
        return cls(folder / rest, label)

    def __str__(self) -> str:
        """Returns the file as the user may write it."""
        return str(self.path) if self.label is None else f"{self.label}={self.path}"


@dataclass(frozen=True)
class TaskSource:
    """A task with its files.

    Args:
        task: The task.
        files: Its files, in order.
        name: Name of the task in a mixture.
        weight: Weight in a mixture, relative to the other tasks'; None derives it from the size.
    """

    task: Task
    files: Sequence[LabelledFile]
    name: str = ""
    weight: float | None = None

    def encode(
        self, encode: RecordEncoder, parts: EncodedParts, *, strict: bool, workers: int, progress: bool
    ) -> dict[str, FileNotes]:
        """Fills the parts and returns the repairs made to each file, by path.

        Args:
            encode: Encodes records.
            parts: The parts to fill; existing ones are skipped.
            strict: Whether the error of the first faulty record is raised.
            workers: Number of encoding processes.
            progress: Whether a progress bar is shown on standard error.

        Raises:
            DataError: A whole file cannot be read or, with `strict`, a record is faulty.
        """
        notes = {str(file.path): FileNotes() for file in self.files}
        records = self._records(encode.options, notes, strict=strict, progress=progress)
        with closing(encode_tasks(encode, records, workers, parts.has)) as tasks:
            for number, batch, encoded in tasks:
                if strict:
                    _raise_first(batch, encoded)
                parts.write(number, self._part(batch, encoded, encode.fitter.seq_length))
        return notes

    def _records(
        self, options: FieldOptions, notes: dict[str, FileNotes], *, strict: bool, progress: bool
    ) -> Iterator[_Record]:
        """Yields the records of all files under a progress bar that counts bytes, and fills the notes."""
        total = sum(size_of(file.path) for file in self.files)
        with tqdm(
            total=total,
            unit="B",
            unit_scale=True,
            desc="prepare",
            file=sys.stderr,
            mininterval=0.5,
            disable=not progress,
        ) as bar:
            for file in self.files:
                done, is_read, about = 0, False, notes[str(file.path)]
                try:
                    for record in self.task.rows(file.path, file.label, about, options):
                        if about.bytes_read > done:
                            bar.update(about.bytes_read - done)
                            done = about.bytes_read
                        is_read = is_read or isinstance(record, Row)
                        yield record
                except DataError as error:
                    # Records read before the fault are used, unless the first fault ends the preparation.
                    if not is_read or strict:
                        yield _Unreadable(error)
                        return
                    reason = f"{error.reason}; the rest of the file was left out"
                    yield RecordError(defect_of(error), reason, error.path, error.line)
                except SciMindError as error:
                    yield _Unreadable(error)
                    return
                bar.update(size_of(file.path) - done)

    def _part(self, batch: Sequence[_Record], encoded: EncodedRecords, seq_length: int) -> Part:
        """Returns the part of a batch of records and its encoded rows.

        Raises:
            SciMindError: A file cannot be read any further.
        """
        rejects: list[tuple[int, dict[str, Any]]] = []
        rows: list[Row] = []
        places = []
        fits = np.bincount(encoded.rows["owner"], minlength=len(encoded.records["length"])) > 0
        for place, record in enumerate(batch):
            if isinstance(record, _Unreadable):
                raise record.error
            if isinstance(record, DataError):
                text = record.text if isinstance(record, RecordError) else ""
                rejects.append((place, _entry(record, Fault(defect_of(record), record.reason, text))))
                continue
            number = len(rows)
            if (fault := encoded.faults.get(number)) is not None:
                rejects.append((place, _entry(record, fault) | {"id": record.id}))
            elif not fits[number]:
                fault = Fault(TOO_LONG, f"{encoded.records['length'][number]} ids, the maximum is {seq_length + 1}")
                rejects.append((place, _entry(record, fault) | {"kind": TOO_LONG, "id": record.id}))
            places.append(place)
            rows.append(record)
        numbers = {str(file.path): number for number, file in enumerate(self.files)}
        blobs = [text.encode("utf-8", "surrogatepass") for text in encoded.json]
        arrays = {
            **encoded.records,
            **encoded.rows,
            "ids": encoded.ids,
            "labels": encoded.labels,
            "json": np.frombuffer(b"".join(blobs), dtype=np.uint8),
            "json_size": np.array([len(blob) for blob in blobs], dtype=np.int32),
            "place": np.array(places, dtype=np.int32),
            "line": np.array([row.line for row in rows], dtype=np.int64),
            "path": np.array([numbers[str(row.path)] for row in rows], dtype=np.int32),
        }
        notes = {
            "read": len(batch),
            "rejects": rejects,
            "names": [row.id for row in rows],
            "detected": encoded.detected,
            "readings": encoded.readings,
            "changes": encoded.changes,
            "labelled": list(encoded.labelled.items()),
            "sequences": encoded.sequences,
        }
        return Part(arrays, notes)


@dataclass(frozen=True)
class _Unreadable:
    """A fault that ends the reading; it is reported in order, after the faults of earlier records."""

    error: SciMindError


_Record = Row | DataError | _Unreadable


def _raise_first(batch: Sequence[_Record], encoded: EncodedRecords) -> None:
    """Raises the error of the first faulty record, if there is one."""
    number = 0
    for record in batch:
        if isinstance(record, DataError):
            raise record
        if isinstance(record, Row):
            if (fault := encoded.faults.get(number)) is not None:
                raise RecordError(fault.defect, fault.reason, record.path, record.line, fault.text)
            number += 1


def _entry(record: Row | DataError, fault: Fault) -> dict[str, Any]:
    """Returns the line of the rejects file for a faulty record."""
    entry = {"file": str(record.path), "line": record.line, "kind": "faulty", "defect": fault.defect}
    return entry | {"reason": fault.reason} | ({"text": excerpt(fault.text)} if fault.text else {})
