"""Reads raw records with the fields of a task from data files of all formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.data.conversation_forms import holds_turns
from scimind.data.defects import ENCODING, MALFORMED, RecordError
from scimind.data.formats.columns import IDENTITY, Columns, normalised
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import name_of
from scimind.data.formats.records import RecordFile, open_records
from scimind.data.formats.sequence_files import SEQUENCE
from scimind.data.formats.structure_files import STRUCTURE
from scimind.data.formats.text_files import broken_byte
from scimind.errors import DataError

# The name of the value that is a row's entity in splits if that is not the key field: what the row was made from.
ENTITY = ""


@dataclass(frozen=True)
class Row:
    """A raw record: its id, the value of each field, and its file and line."""

    id: str
    values: Mapping[str, Any]
    path: Path
    line: int


def read_rows(path: Path, columns: Columns, notes: FileNotes | None = None) -> Iterator[Row | DataError]:
    """Yields the records of a file in order; a faulty record is yielded as its error, and reading continues.

    Args:
        path: The file, a pipe, or `-` for standard input; its extension hardly matters.
        columns: The columns of the fields.
        notes: Filled with how the file was understood, and the repairs made to it.

    Raises:
        DataError: The file is missing, empty or damaged, its JSON list is not valid, or a column is missing.
    """
    notes = FileNotes() if notes is None else notes
    yield from rows_of(path, open_records(path, columns, notes), columns, notes)


def rows_of(path: Path, file: RecordFile, columns: Columns, notes: FileNotes) -> Iterator[Row | DataError]:
    """Yields the records of an opened file; see `read_rows`."""
    found = None if file.keys is None else _keys(file, columns, path)
    per_record = _Finder(path, columns)
    number = 0
    for number, record in enumerate(file.records, start=1):
        if isinstance(record, DataError):
            yield record
            continue
        line, values = record
        try:
            keys = per_record.find(values, line) if found is None else found
        except DataError as error:
            if per_record.is_new or not isinstance(error, RecordError):
                raise
            yield error
            continue
        notes.columns = notes.columns or _shown(file, keys)
        fields = {name: values.get(key) for name, key in keys.items()}
        broken = next((wrong for text in fields.values() if isinstance(text, str) and (wrong := broken_byte(text))), "")
        if broken:
            yield RecordError(ENCODING, broken, path, line)
            continue
        identity = fields.pop(IDENTITY, None)
        yield Row(f"{name_of(path)}-{number}" if identity in (None, "") else str(identity), fields, path, line)
    if not number:
        raise DataError("the file has no records; give a file with records", path)


def _keys(file: RecordFile, columns: Columns, path: Path) -> dict[str, str]:
    """Returns the key of each field in the records of a table."""
    keys = file.keys or []
    if file.header is None:
        return {name: name for name in keys if name in columns.names or name == IDENTITY}
    return {name: keys[place] for name, place in columns.find(file.header, path, 1).items()}


def _shown(file: RecordFile, keys: Mapping[str, str]) -> dict[str, str]:
    """Returns the column of each field as the user knows it: its name, or its number without a header."""
    if file.header is None and file.keys is not None:
        return {name: str(file.keys.index(key) + 1) for name, key in keys.items()}
    return dict(keys)


class _Finder:
    """Finds the keys of the fields in records that have keys of their own: JSON, FASTA, structures."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self._path, self._columns = path, columns
        self._found: dict[tuple[str, ...], dict[str, str]] = {}

    @property
    def is_new(self) -> bool:
        """Whether no record was understood yet."""
        return not self._found

    def find(self, values: Mapping[str, Any], line: int) -> dict[str, str]:
        """Returns the key of each field.

        Raises:
            RecordError: A field is missing.
            DataError: The file holds something else.
        """
        names = tuple(values)
        if names in self._found:
            return self._found[names]
        if holds_turns(values):
            reason = "the file contains conversations, not a table; use --task conversation"
            raise DataError(reason, self._path, line)
        shown = self._without_copies(names)
        try:
            places = self._columns.find(shown, self._path, line)
        except DataError as error:
            if SEQUENCE in names and set(names) <= {SEQUENCE, "id"} and not self._columns.chosen:
                reason = "has only sequences; give a table with all columns of the task"
                raise DataError(reason, self._path, line) from error
            raise RecordError(MALFORMED, error.reason, self._path, line) from error
        self._found[names] = {name: shown[place] for name, place in places.items()}
        return self._found[names]

    def _without_copies(self, names: Sequence[str]) -> Sequence[str]:
        """Returns the names without properties that repeat a record's structure as text, unless the user chose them."""
        if STRUCTURE not in names:
            return names
        chosen = {normalised(name) for name in self._columns.chosen.values()}
        copies = {"smiles", "canonicalsmiles", "isomericsmiles", "mol", "smi", "molecule", "structure"} - chosen
        return [name for name in names if name == STRUCTURE or normalised(name) not in copies]
