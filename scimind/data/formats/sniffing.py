"""Recognises the format of a file from its content; its extension only decides between equally good readings."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from scimind.data.formats.columns import Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import first_bytes, seekable
from scimind.data.formats.tables import SEPARATORS
from scimind.data.formats.text_files import open_text
from scimind.errors import DataError

PARQUET, WORKBOOK, JSON, FASTA, FASTQ, STRUCTURES, TEXT = (
    *("parquet", "Excel workbook", "JSON", "FASTA", "FASTQ", "SDF"),
    "text",
)
_HEAD = 1 << 16
_ROWS = 20
_PARQUET, _ZIP, _OLD_EXCEL = b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LONGEST_COUNTS = 100  # characters; the form has 39, and the expression is slow on a long row of digits
_COUNTS_LINE = re.compile(r"\s*\d+\s*\d+.*V[23]000\s*")
_OBJECT = re.compile(r'\{\s*(?:"|\}|$)')
_LIST = re.compile(r'\[\s*(?:[{\["\]]|-?\d+(?:\.\d+)?\s*(?:,|\])|(?:true|false|null)\b|$)')
_COMMENT_LINES = re.compile(r"(?:[;#][^\n]*\n|\s*\n)*")
_FASTQ = re.compile(r"@[^\n]*\n[A-Za-z.*\-]+\n\+[^\n]*\n")


def format_of(path: Path) -> tuple[str, str]:
    """Returns the format of a file, and the beginning of its text; that is empty for binary formats.

    Raises:
        DataError: The file cannot be read, is empty, or has a binary format that cannot be read.
    """
    start = first_bytes(path, len(_OLD_EXCEL))
    if start.startswith(_PARQUET):
        return PARQUET, ""
    if start.startswith(_ZIP):
        _check_workbook(path)
        return WORKBOOK, ""
    if start == _OLD_EXCEL:
        raise DataError("is a workbook of an old version of Excel; save it as .xlsx or .csv", path)
    head = head_of(path)
    return text_format(head, path), head


def head_of(path: Path) -> str:
    """Returns the beginning of a text file, with what is not blank."""
    _, blocks = open_text(path, FileNotes())
    head = ""
    for block in blocks:
        head = (head if head.strip() else "") + block
        if len(head) >= _HEAD and head.strip():
            break
    return head[: max(_HEAD, len(head) - len(head.lstrip()) + 1)]


def text_format(head: str, path: Path) -> str:
    """Returns the format of a text that begins like this."""
    lines = head.split("\n", 4)
    is_counted = len(lines) > 3 and len(lines[3]) <= _LONGEST_COUNTS and _COUNTS_LINE.fullmatch(lines[3])
    if is_counted or re.search(r"^M  END\s*$", head, re.MULTILINE):
        return STRUCTURES
    start = head.lstrip()
    if is_json(start, path):
        return JSON
    if start.startswith(">") or head[_end_of_comments(head) :].startswith(">"):
        return FASTA
    return FASTQ if _FASTQ.match(start) else TEXT


def is_json(start: str, path: Path) -> bool:
    """Returns whether a text that begins like this is JSON, and not a SMILES with a bracket or a set of names."""
    if start[:1] not in ("[", "{"):
        return False
    if {suffix.lower() for suffix in path.suffixes} & {".json", ".jsonl", ".ndjson"}:
        return True
    first = start[:_HEAD].split("\n", 1)[0].rstrip()
    return (_OBJECT if start[0] == "{" else _LIST).match(first) is not None


def separator_of(head: str, columns: Columns, path: Path) -> str:
    """Returns the separator of a table that begins like this; empty for a list of single values.

    The separator by which the first row has most names of known columns is preferred, then the one by which the first
    values are of the right kind, then the one by which all rows have equally many cells.
    """
    lines = _whole_lines(head)
    if not lines:
        return ""
    best, best_score = "", (0, False, False)
    for separator in SEPARATORS:
        rows = _rows(lines, separator)
        if not rows or len(rows[0]) < 2:
            continue
        is_even = len({len(row) for row in rows}) == 1
        score = (columns.matches(rows[0]), columns.without_header(rows[0]) is not None, is_even)
        if score > best_score:
            best, best_score = separator, score
    if not best_score[0] and "\t" not in lines[0] and columns.matches(_rows(lines, "")[0]):
        return ""  # a list with a header
    if any(best_score):
        return best
    by_name = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), "")
    return next((separator for separator in (by_name, *SEPARATORS[:2]) if separator and separator in lines[0]), "")


def first_rows(head: str, separator: str) -> list[list[str]]:
    """Returns the first rows of a table that begins like this, as far as they can be split."""
    return _rows(_whole_lines(head), separator)


def _whole_lines(head: str) -> list[str]:
    lines = head.split("\n")
    if len(head) >= _HEAD and len(lines) > 1:
        lines.pop()
    return [line for line in lines if line.strip()][: 10 * _ROWS]


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    if not separator:
        return [[line.strip().strip('"')] for line in lines[:_ROWS]]
    try:
        # A quote does not have to be closed here; it is a fault of its record.
        return [
            row for row in islice(csv.reader(iter(f"{line}\n" for line in lines), delimiter=separator), _ROWS) if row
        ]
    except csv.Error:
        return [line.split(separator) for line in lines[:_ROWS]]


def _end_of_comments(head: str) -> int:
    found = _COMMENT_LINES.match(head)
    return found.end() if found else 0


def _check_workbook(path: Path) -> None:
    try:
        with seekable(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"is a truncated or corrupt zip file ({error}); download it again", path) from error
    if "xl/workbook.xml" not in names:
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise DataError(f"is a zip archive (with {shown}); unpack it, and give the data file", path)
