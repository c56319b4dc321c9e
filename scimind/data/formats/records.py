"""The front of all data files: what a file holds is recognised, noted, and given as records with named columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from scimind.data.defects import LONG_LINE, MALFORMED, RecordError
from scimind.data.formats import sniffing
from scimind.data.formats.columns import IDENTITY, Columns, normalised
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.sequence_files import fasta_records, fastq_records
from scimind.data.formats.spreadsheets import parquet_names, parquet_rows, workbook_rows
from scimind.data.formats.structure_files import STRUCTURE, structure_records
from scimind.data.formats.tables import Cells, decimal_columns, is_quoted, table_rows
from scimind.data.formats.text_files import LONGEST_LINE, lines_of, open_text
from scimind.errors import DataError

Record = tuple[int, dict[str, Any]] | DataError

LINES = "lines"
_SMILES_LIST = (".smi", ".smiles", ".ism", ".can")
_NAMES = {"\t": "TSV", ",": "CSV", ";": "CSV", "": "list"}
_SMILES_NAMES = frozenset(("smiles", "molecule", "structure", "canonicalsmiles", "isomericsmiles"))


@dataclass
class RecordFile:
    """An opened file.

    Args:
        format: Such as `CSV`, `JSON list` or `FASTA`; `lines` for one value per line.
        header: The names of its columns as in the file; None if each record has its own, or without a header.
        keys: The keys of the columns in the records: their names, with the place if two are equal; without a header the
            fields that they hold. None if each record has its own.
        records: The line and the values of each record, or its error.
    """

    format: str
    header: list[str] | None
    keys: list[str] | None
    records: Iterator[Record]


def open_records(
    path: Path, columns: Columns, notes: FileNotes, *, strict: bool = False, every_row: bool = False
) -> RecordFile:
    """Opens a file of any format whose records have the fields of a task.

    Args:
        path: The file, a pipe, or `-` for standard input.
        columns: The columns of the fields, by which a header and a separator are recognised.
        notes: Filled with how the file is understood, and with the repairs made while it is read.
        strict: Whether bytes that do not belong to the encoding end the reading, see `open_text`.
        every_row: Whether each row counts, as it does where rows are compared by position: blank ones too, and with
            tabs also those without the last column. All columns are then read.

    Raises:
        DataError: The file cannot be read, is empty or damaged, or its columns are not understood.
    """
    found, head = sniffing.format_of(path)
    notes.format = found
    if found == sniffing.PARQUET:
        notes.header = header = parquet_names(path)
        used = None if every_row else sorted({header[place] for place in columns.find(header, path, 1).values()})
        return RecordFile(found, header, _unique(header), iter(parquet_rows(path, used)))
    if found == sniffing.WORKBOOK:
        return _table(path, workbook_rows(path, notes), columns, notes)
    start, blocks = open_text(path, notes, strict=strict)
    if found == sniffing.JSON:
        return RecordFile(found, None, None, _objects(path, json_values(path, start, blocks, notes), columns))
    lines = lines_of(blocks, LONGEST_LINE)
    if found == sniffing.FASTA:
        return RecordFile(found, None, None, fasta_records(path, lines))
    if found == sniffing.FASTQ:
        return RecordFile(found, None, None, fastq_records(path, lines))
    if found == sniffing.STRUCTURES:
        return RecordFile(found, None, None, structure_records(path, lines))
    if is_smiles_list(path, head, columns):
        notes.format = "SMILES list"
        return RecordFile(notes.format, None, None, smiles_list(path, lines, columns))
    return _text_table(path, head, lines, columns, notes, every_row)


def first_names(path: Path, columns: Columns) -> list[str]:
    """Returns the cells of the first row of a table, or the keys of the first record; none for other formats.

    Args:
        path: The file.
        columns: Columns that the table may have, by which its separator is recognised.

    Raises:
        DataError: The file cannot be read, is empty or damaged.
    """
    found, head = sniffing.format_of(path)
    if found == sniffing.PARQUET:
        return parquet_names(path)
    if found == sniffing.WORKBOOK:
        return next((cells for _, cells in workbook_rows(path, FileNotes())), [])
    if found == sniffing.JSON:
        start, blocks = open_text(path, FileNotes())
        value = next(json_values(path, start, blocks), None)
        return list(value[1]) if isinstance(value, tuple) and isinstance(value[1], dict) else []
    if found != sniffing.TEXT:
        return []
    rows = sniffing.first_rows(head, sniffing.separator_of(head, columns, path))
    return rows[0] if rows else []


def has_header(path: Path, columns: Columns) -> bool:
    """Returns whether a text begins with names of columns, and most of its first rows have as many cells."""
    found, head = sniffing.format_of(path)
    if found != sniffing.TEXT:
        return False
    rows = sniffing.first_rows(head, sniffing.separator_of(head, columns, path))
    return bool(rows) and columns.is_header(rows[0]) and 2 * sum(len(row) == len(rows[0]) for row in rows) > len(rows)


def plain_lines(path: Path, notes: FileNotes, *, strict: bool = True) -> Iterator[tuple[int, str]]:
    """Yields all lines of a text file with their numbers, blank ones too; the line end of the last line is none.

    Args:
        path: The file.
        notes: Filled with how the file was understood.
        strict: Whether a byte that is not UTF-8 is an error; otherwise `broken_byte` finds it in its line.

    Raises:
        DataError: The file cannot be read, is empty, or has a line that is too long.
    """
    notes.format = LINES
    waiting: str | None = None
    number = 0
    for text in lines_of(open_text(path, notes, strict=strict)[1], LONGEST_LINE):
        if waiting is not None:
            number += 1
            yield number, _short(waiting, path, number)
        waiting = text
    if waiting:
        yield number + 1, _short(waiting, path, number + 1)


def is_smiles_list(path: Path, head: str, columns: Columns) -> bool:
    """Returns whether a file has a SMILES at the beginning of each line, and a name after a blank or tab."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if not set(suffixes) & set(_SMILES_LIST):
        return False
    first = (head.split("\n", 1)[0].split() or [""])[0]
    return "," not in first and ";" not in first


def smiles_list(path: Path, lines: Iterator[str], columns: Columns) -> Iterator[Record]:
    """Yields the molecules of a list of SMILES, each with the rest of its line as its id; a header is left out."""
    for number, text in enumerate(lines, start=1):
        words = text.split(maxsplit=1)
        if not words or (number == 1 and normalised(words[0]) in _SMILES_NAMES):
            continue
        if len(text) > LONGEST_LINE:
            yield _long_line(path, number, text)
            continue
        yield number, {STRUCTURE: words[0]} | ({"id": words[1].strip()} if len(words) > 1 else {})


def _text_table(
    path: Path, head: str, lines: Iterator[str], columns: Columns, notes: FileNotes, every_row: bool
) -> RecordFile:
    separator = sniffing.separator_of(head, columns, path)
    notes.format, notes.separator = _NAMES[separator], separator
    is_csv = separator in (",", ";") or path.suffix.lower() == ".csv"
    quoted = is_csv or (not separator and head.lstrip().startswith('"'))
    if separator == "\t":
        quoted = is_quoted(_all_lines(path), separator)
        if quoted:
            notes.add_remark("quotes as in CSV")

    def rows(lines: Iterator[str]) -> Iterator[Cells]:
        return table_rows(path, lines, separator or "\t", quoted=quoted, keep_blank=every_row)

    first = sniffing.first_rows(head, separator)
    opened = _table(path, rows(lines), columns, notes, first, may_be_short=every_row and separator == "\t")
    if separator:
        judged = rows(_all_lines(path))
        if opened.header is not None:
            next((row for row in judged if not isinstance(row, RecordError)), None)
        keys = opened.keys or []
        decimal = [keys[place] for place in decimal_columns(path, judged, separator, _used(columns, opened, path))]
        if decimal:
            notes.add_remark(f"decimal commas of {', '.join(decimal)} became points")
            opened.records = _with_points(opened.records, decimal)
    return opened


def _used(columns: Columns, opened: RecordFile, path: Path) -> list[int]:
    """Returns the places of the columns that fields are read from."""
    if opened.header is None:
        return [place for place, name in enumerate(opened.keys or ()) if name in columns.names]
    return [place for name, place in columns.find(opened.header, path, 1).items() if name != IDENTITY]


def _unique(header: Sequence[str]) -> list[str]:
    """Returns keys for the columns: their names, with the place, from 1, where two names are equal."""
    return [
        name if header.count(name) == 1 else f"{name} (column {place})" for place, name in enumerate(header, start=1)
    ]


def _with_points(records: Iterator[Record], names: Sequence[str]) -> Iterator[Record]:
    for record in records:
        if not isinstance(record, DataError):
            record[1].update({name: record[1][name].replace(",", ".") for name in names if name in record[1]})
        yield record


def _all_lines(path: Path) -> Iterator[str]:
    return lines_of(open_text(path, FileNotes())[1], LONGEST_LINE)


def _table(
    path: Path,
    rows: Iterator[Cells],
    columns: Columns,
    notes: FileNotes,
    first: Sequence[Sequence[str]] | None = None,
    *,
    may_be_short: bool = False,
) -> RecordFile:
    """Returns the records of a table, after the decision whether its first row is a header."""
    faults: list[RecordError] = []
    start = next(rows, None)
    while isinstance(start, RecordError):
        faults.append(start)
        start = next(rows, None)
    if start is None:
        raise faults[0] if faults else DataError("the file is empty; give a file with records", path)
    line, cells = start
    head = list(first) if first else [cells]
    names = _names_without_header(cells, head, columns)
    if names is None:
        notes.header = header = [cell.strip() for cell in cells]
        columns.find(header, path, line)
        keys = _unique(header)
        return RecordFile(notes.format, header, keys, _named(path, chain(faults, rows), keys, "header", may_be_short))
    notes.header = None
    return RecordFile(notes.format, None, names, _named(path, chain(faults, [start], rows), names, "first row"))


def _names_without_header(cells: list[str], head: Sequence[Sequence[str]], columns: Columns) -> list[str] | None:
    """Returns the fields of the columns if the first row is a record; None if it is a header."""
    if columns.matches(cells):
        return None
    names = columns.without_header(cells)
    if names is None and columns.headerless and len(cells) == len(columns.headerless):
        # The first record may be faulty.
        others = islice(head, 1, None)
        is_list = len(cells) == 1
        if is_list or any(len(row) == len(cells) and columns.without_header(row) for row in others):
            names = columns.without_header(cells, is_sure=True)
    return names


def _named(
    path: Path, rows: Iterator[Cells], names: Sequence[str], what: str, may_be_short: bool = False
) -> Iterator[Record]:
    for row in rows:
        if isinstance(row, RecordError):
            yield row
            continue
        line, cells = row
        if len(cells) != len(names) and not (may_be_short and len(cells) == len(names) - 1):
            reason = f"the record has {len(cells)} columns, the {what} {len(names)}; fix the record"
            yield RecordError(MALFORMED, reason, path, line, "\t".join(cells))
        else:
            yield line, dict(zip(names, cells, strict=False))


def _objects(path: Path, values: Iterator[Any], columns: Columns) -> Iterator[Record]:
    for value in values:
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        if isinstance(fields, dict):
            yield line, fields
        else:
            reason = f"a record must be an object with a {' and a '.join(columns.needed)}"
            yield RecordError(MALFORMED, reason, path, line, repr(fields)[:200])


def _short(text: str, path: Path, line: int) -> str:
    if len(text) > LONGEST_LINE:
        raise _long_line(path, line, text)
    return text


def _long_line(path: Path, line: int, text: str) -> RecordError:
    return RecordError(LONG_LINE, f"the line has more than {LONGEST_LINE:,} characters; split it", path, line, text)
