"""Reads the rows of tables in text: with commas, semicolons or tabs; decides about quotes and decimal commas.

With commas and semicolons, quotes are those of CSV. With tabs, a quote is an ordinary character, as in the published
files of L+M-24 and ChEBI-20, unless the whole file is quoted as CSV writers do.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scimind.data.defects import LONG_LINE, MALFORMED, RecordError
from scimind.data.formats.text_files import LONGEST_LINE
from scimind.errors import DataError

SEPARATORS = ("\t", ",", ";")

Cells = tuple[int, list[str]] | RecordError

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_NUMBER = re.compile(r"[+-]?\d+(?:[eE][+-]?\d+)?")
_DECIMAL = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")


def table_rows(
    path: Path, lines: Iterator[str], separator: str, *, quoted: bool, keep_blank: bool = False
) -> Iterator[Cells]:
    """Yields the cells of each row with the number of its first line; blank rows are left out.

    Args:
        path: The file, for errors.
        lines: Its lines, of which no more than `LONGEST_LINE` + 1 characters are read.
        separator: One of `SEPARATORS`.
        quoted: Whether quotes around cells are removed, and doubled ones inside them made single.
        keep_blank: Whether rows whose cells are all blank count, and in a table of one column also blank lines.
    """
    source = _Lines(lines)
    width = 0
    while (text := source.peek(skip_blank=not keep_blank or width != 1)) is not None:
        line = source.line
        if len(text) > LONGEST_LINE:
            source.take()
            reason = f"the line has more than {LONGEST_LINE:,} characters; split it"
            yield RecordError(LONG_LINE, reason, path, line, text)
            continue
        cells = _quoted_cells(source, path, separator) if quoted else source.take().split(separator)
        if isinstance(cells, RecordError):
            yield cells
        elif keep_blank and width and (cells or width == 1) and not (source.peek() is None and not text):
            yield line, cells or [""]
        elif any(cell.strip() for cell in cells):
            width = width or len(cells)
            yield line, cells


def is_quoted(lines: Iterator[str], separator: str) -> bool:
    """Returns whether the quotes of a table with tabs are those of CSV, judged by all lines up to a contradiction.

    They are if every cell that begins with a quote also ends with one and has only doubled ones in between; if no other
    cell has a quote; if all rows with quotes then have as many cells as the header; and if the header is quoted, or
    only cells that need quotes are.
    """
    is_header, all_quoted, found, row, width = True, False, False, "", 0
    for line in lines:
        row = f"{row}\n{line}" if row else line
        if '"' not in row and not is_header:
            row = ""
            continue
        if row.count('"') % 2 and len(row) <= LONGEST_LINE:
            continue  # a cell that spans several lines, if this is CSV
        cells = _split_quoted(row, separator)
        width = width or len(cells or ())
        if cells is None or len(cells) != width:
            return False
        quoted = [cell for cell in cells if cell.startswith('"')]
        if is_header:
            all_quoted = len(quoted) == len(cells)
        if not all_quoted and any(not re.search(rf'""|[\n{separator}]', cell[1:-1]) for cell in quoted):
            return False
        found = found or bool(quoted)
        is_header, row = False, ""
    return found and not row


def decimal_columns(path: Path, rows: Iterator[Cells], separator: str, places: Sequence[int]) -> list[int]:
    """Returns the columns that hold numbers with a decimal comma, judged by all rows up to a contradiction.

    Args:
        path: The file, for errors.
        rows: The rows of the table, without its header.
        separator: The table's separator.
        places: The columns to judge, from 0.

    Raises:
        DataError: A comma may be a decimal comma or separate thousands.
    """
    left = dict.fromkeys(places, "")  # an example for each column that has only numbers so far
    unsure: dict[int, str] = {}
    sure: set[int] = set()
    for row in rows:
        if isinstance(row, RecordError):
            continue
        for place in list(left):
            text = row[1][place].strip() if place < len(row[1]) else ""
            if _DECIMAL.fullmatch(text):
                left[place] = text
                if separator == ";" or not _THOUSANDS.fullmatch(text):
                    sure.add(place)
                else:
                    unsure.setdefault(place, text)
            elif text and not _NUMBER.fullmatch(text):
                del left[place]
        if not left:
            return []
    for place, text in unsure.items():
        if place in left and place not in sure:
            reason = f"the comma in {text} of column {place + 1} may be a decimal comma or separate thousands"
            raise DataError(f"{reason}; write the numbers with a point, or without separators", path)
    return [place for place, text in left.items() if text]


def _split_quoted(row: str, separator: str) -> list[str] | None:
    """Returns the cells of a row with their quotes, None if its quotes are not those of CSV."""
    cells, position = [], 0
    while True:
        if row.startswith('"', position):
            match = _QUOTED.match(row, position)
            if match is None:
                return None
            end = match.end()
        else:
            end = row.find(separator, position)
            end = len(row) if end < 0 else end
        cell = row[position:end]
        if '"' in cell and not cell.startswith('"'):
            return None
        cells.append(cell)
        if end == len(row):
            return cells
        if row[end] != separator:
            return None
        position = end + 1


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


def _quoted_cells(source: _Lines, path: Path, separator: str) -> list[str] | RecordError:
    """Returns the cells of the next CSV record; after an unclosed quote only the line that contains it is lost."""
    line, taken = source.line, []

    def feed() -> Iterator[str]:
        size = 0
        while size <= LONGEST_LINE and (text := source.take()) is not None:
            taken.append(text)
            size += len(text)
            yield text + "\n"  # a quoted cell may span several lines

    csv.field_size_limit(2 * LONGEST_LINE)
    try:
        return next(csv.reader(feed(), delimiter=separator, strict=True))
    except csv.Error as error:
        source.give_back(taken[1:])
        reason = f"broken table ({error}); fix the quotes of this record"
        return RecordError(MALFORMED, reason, path, line, taken[0])
