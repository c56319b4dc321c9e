"""Reads raw records from tables (CSV, TSV, parquet), JSON, lists without a header, and FASTA.

The format is detected from the content: gzip and parquet from their first bytes, JSON from a bracket, FASTA from `>`,
TSV from a tab in the first line, CSV otherwise. CSV is quoted as usual; in TSV a quote is an ordinary character, as in
the published files. Columns are found by name, so their order and additional columns do not matter.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from scimind.data.defects import ENCODING, LONG_LINE, MALFORMED, RecordError
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.text_files import LONGEST_LINE, FileNotes, broken_byte, lines_of, open_bytes, open_text
from scimind.errors import DataError

# The name of the value that is a row's entity in splits if that is not the key field: what the row was made from.
ENTITY = ""

_ID = ("id", "cid")
_OBJECTS = re.compile(r"\s*(?:\[\s*)?\{")
_PARQUET = b"PAR1"
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Columns:
    """The columns in which a task finds its fields.

    Args:
        names: Possible column names of each field, in lower case, preferred names first.
        fallback: The column used for a field if this is the only missing one.
        optional: Fields that may be missing.
        headerless: The fields of a file without a header, in order; empty if a header is required.
    """

    names: Mapping[str, Sequence[str]]
    fallback: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    headerless: Sequence[str] = ()

    def find(self, columns: Sequence[str], path: Path, line: int) -> dict[str, str]:
        """Returns the column of each field that is present, and that of the id under "".

        Raises:
            DataError: A required field has no column; the message lists the existing columns.
        """
        known = {name.strip().lower(): name for name in reversed(columns)}
        wanted = {"": _ID, **self.names}
        found = {
            name: column
            for name, choices in wanted.items()
            if (column := next((known[choice] for choice in choices if choice in known), None)) is not None
        }
        absent = [name for name in self.names if name not in found]
        if len(absent) == 1 and (column := known.get(self.fallback.get(absent[0], ""))) is not None:
            found[absent.pop()] = column
        missing = [name for name in absent if name not in self.optional]
        if missing:
            choices = " or ".join(self.names[missing[0]])
            there = ", ".join(repr(name) for name in columns)
            reason = f"no column for the {missing[0]}; name a column {choices} (the columns are {there})"
            raise DataError(reason, path, line)
        return found

    def has(self, column: str) -> bool:
        """Returns whether a column belongs to a field."""
        return any(column.strip().lower() in choices for choices in (*self.names.values(), self.fallback.values()))


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
        path: The file; its extension does not matter.
        columns: The columns of the fields.
        notes: Filled with the repairs made to the file.

    Raises:
        DataError: The file is missing, empty or damaged, its JSON list is not valid, or a column is missing.
    """
    notes = FileNotes() if notes is None else notes
    values = _parquet_values(path, columns) if is_parquet(path) else _text_values(path, columns, notes)
    for number, value in enumerate(values, start=1):
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        broken = next((wrong for text in fields.values() if isinstance(text, str) and (wrong := broken_byte(text))), "")
        if broken:
            yield RecordError(ENCODING, broken, path, line)
            continue
        identity = fields.pop("", None)
        yield Row(f"{path.stem}-{number}" if identity in (None, "") else str(identity), fields, path, line)


_Value = tuple[int, dict[str, Any]] | DataError


def _text_values(path: Path, columns: Columns, notes: FileNotes) -> Iterator[_Value]:
    start, blocks = open_text(path, notes)
    first = next(blocks)
    blocks = chain([first], blocks)
    is_json = start in "[{" if not columns.headerless else _OBJECTS.match(first) is not None
    if is_json:
        return _json_values(path, start, blocks, columns)
    lines = lines_of(blocks, LONGEST_LINE)
    return _fasta_values(path, lines, columns) if start == ">" else _table_values(path, lines, columns)


def _long_line(path: Path, line: int, text: str) -> RecordError:
    return RecordError(LONG_LINE, f"the line has more than {LONGEST_LINE:,} characters; split it", path, line, text)


def _table_values(path: Path, lines: Iterator[str], columns: Columns) -> Iterator[_Value]:
    source = _Lines(lines)
    places: dict[str, int] = {}
    width = 0
    tabs = "\t" in source.peek()
    while (text := source.peek(skip_blank=True)) is not None:
        line = source.line
        if len(text) > LONGEST_LINE:
            source.take()
            yield _long_line(path, line, text)
            continue
        fields = source.take().split("\t") if tabs else _csv_fields(source, path)
        if isinstance(fields, DataError):
            yield fields
            continue
        if not any(value.strip() for value in fields):
            continue
        if not width:
            width = len(fields)
            if columns.headerless and not any(columns.has(name) for name in fields):
                if width < len(columns.headerless):
                    columns.find(fields, path, line)  # raises an error that names the missing column
                places = {name: number for number, name in enumerate(columns.headerless)}
            else:
                places = {name: fields.index(column) for name, column in columns.find(fields, path, line).items()}
                continue
        if len(fields) != width:
            reason = f"the record has {len(fields)} columns, the header {width}; fix the record"
            yield RecordError(MALFORMED, reason, path, line, text)
        else:
            yield line, {name: fields[place] for name, place in places.items()}


class _Lines:
    """Lines that can be peeked at and given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: list[str] = []
        self.line = 1  # the number of the next one

    def peek(self, *, skip_blank: bool = False) -> Any:
        """Returns the next line without taking it, None at the end; `skip_blank` takes blank lines first."""
        while True:
            if not self._waiting:
                text = next(self._lines, None)
                if text is None:
                    return None
                self._waiting.append(text)
            if self._waiting[-1].strip() or not skip_blank:
                return self._waiting[-1]
            self.take()

    def take(self) -> Any:
        """Takes and returns the next line, None at the end."""
        text = self.peek()
        if text is not None:
            self._waiting.pop()
            self.line += 1
        return text

    def give_back(self, lines: Sequence[str]) -> None:
        """Puts back the lines that were taken last."""
        self._waiting += reversed(lines)
        self.line -= len(lines)


def _csv_fields(source: _Lines, path: Path) -> list[str] | DataError:
    """Returns the fields of the next CSV record; after an unclosed quote only the line that contains it is lost."""
    line, taken = source.line, []

    def feed() -> Iterator[str]:
        size = 0
        while size <= LONGEST_LINE and (text := source.take()) is not None:
            taken.append(text)
            size += len(text)
            yield text + "\n"  # a quoted field may span several lines

    csv.field_size_limit(2 * LONGEST_LINE)
    try:
        return next(csv.reader(feed(), strict=True))
    except csv.Error as error:
        source.give_back(taken[1:])
        reason = f"broken table ({error}); fix the quotes of this record"
        return RecordError(MALFORMED, reason, path, line, taken[0])


def _json_values(path: Path, start: str, blocks: Iterator[str], columns: Columns) -> Iterator[_Value]:
    for value in json_values(path, start, blocks):
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        if not isinstance(fields, dict):
            reason = f"a record must be an object with a {' and a '.join(_needed(columns))}"
            yield RecordError(MALFORMED, reason, path, line, repr(fields))
        elif "conversation" in fields:
            raise DataError("the file contains conversations, not a table; use --task conversation", path, line)
        else:
            found = columns.find(list(fields), path, line)
            yield line, {name: fields[column] for name, column in found.items()}


def _fasta_values(path: Path, lines: Iterator[str], columns: Columns) -> Iterator[_Value]:
    sequence = _sequence_field(columns, path)
    header, begin, parts, is_long = None, 1, [], False
    for number, text in enumerate(chain(lines, [">"]), start=1):
        if not text.startswith(">"):
            is_long = is_long or len(text) > LONGEST_LINE
            parts.append(text.strip())
            continue
        if header is not None:
            words = header.split()
            yield (
                _long_line(path, begin, header)
                if is_long
                else (begin, {"": words[0] if words else "", sequence: "".join(parts)})
            )
        header, begin, parts, is_long = text[1:].strip(), number, [], False


def _sequence_field(columns: Columns, path: Path) -> str:
    """Returns the field that the sequences of a FASTA file fill."""
    found = [name for name, choices in columns.names.items() if "sequence" in choices]
    if not found or (set(_needed(columns)) - set(found)):
        raise DataError("is FASTA, which has only sequences; give a table with all columns of the task", path, 1)
    return found[0]


def _needed(columns: Columns) -> list[str]:
    return [name for name in columns.names if name not in columns.optional]


def is_parquet(path: Path) -> bool:
    """Returns whether a file begins like a parquet file."""
    try:
        with open_bytes(path) as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except (OSError, EOFError):
        return False  # reported when the file is read


def _parquet_values(path: Path, columns: Columns) -> Iterator[_Value]:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        found = columns.find(file.schema_arrow.names, path, 1)
        line = 0
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=sorted(set(found.values()))):
            for fields in batch.to_pylist():
                line += 1
                yield line, {name: fields[column] for name, column in found.items()}
    except ArrowException as error:
        reason = f"is a truncated or corrupt parquet file ({error}); download it again"
        raise DataError(reason.replace("\n", " "), path) from error
