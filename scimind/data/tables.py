r"""Pairs of a molecule and its description from tables: L+M-24, ChEBI-20, MolT5's TSV files, JSON with the same keys.

The columns are found by their names, so the order and further columns do not matter:

| data | molecule | description | id |
|---|---|---|---|
| L+M-24 | `molecule` | `caption` | |
| ChEBI-20 | `SMILES` | `description` | `CID` |
| predictions, smiles2caption | `SMILES` | `ground truth` | |
| predictions, caption2smiles | `ground truth` | `description` | |
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from scimind.data.files import lines_of, open_text
from scimind.data.json_text import json_values
from scimind.errors import DataError

_MOLECULE = ("molecule", "smiles")
_DESCRIPTION = ("caption", "description")
_EITHER = "ground truth"
_ID = ("id", "cid")
_BACKSLASHES = re.compile(r"\\{2,}")


@dataclass(frozen=True)
class Pair:
    """A molecule and its description, with the file and line that hold them, and the number of repaired backslashes."""

    id: str
    molecule: str
    description: str
    path: Path
    line: int
    repairs: int = 0


def repair_backslashes(smiles: str) -> tuple[str, int]:
    r"""Returns the SMILES with single backslashes, and how many places were changed.

    A file that was escaped once too often has `/C=C\\C`; a SMILES itself never has two bond marks in a row.
    """
    return _BACKSLASHES.subn(r"\\", smiles)


def read_pairs(path: Path) -> Iterator[Pair | DataError]:
    """Yields the pairs of a file in order; a record that is faulty is yielded as its error, and the next one follows.

    TSV is told from CSV by a tab in its first line, JSON by a bracket at its beginning. CSV has quotes as usual; in
    TSV a quote is a character like any other, as the published files have it.

    Args:
        path: `.csv`, `.tsv`, `.txt`, `.json` or `.jsonl`; the name does not matter.

    Raises:
        DataError: The file is missing, empty or not UTF-8, its JSON list is broken, or a column is missing.
    """
    start, blocks = open_text(path)
    rows = _json_rows(path, start, blocks) if start in "[{" else _table_rows(path, lines_of(blocks))
    for number, row in enumerate(rows, start=1):
        yield row if isinstance(row, DataError) else _pair(row, f"{path.stem}-{number}", path)


@dataclass(frozen=True)
class _Row:
    line: int
    id: object
    molecule: object
    description: object


def _pair(row: _Row, name: str, path: Path) -> Pair | DataError:
    texts = []
    for what, value in (("molecule", row.molecule), ("description", row.description)):
        if not isinstance(value, str) or not value.strip():
            return DataError(
                f"the {what} is {'empty' if not value else 'no text'}; fill it in or remove the record", path, row.line
            )
        texts.append(value.strip())
    molecule, repairs = repair_backslashes(texts[0])
    return Pair(name if row.id in (None, "") else str(row.id), molecule, texts[1], path, row.line, repairs)


def _find_columns(names: Sequence[str], path: Path, line: int) -> tuple[str | None, str, str]:
    """Returns the names of the columns of the id, the molecule and the description.

    Raises:
        DataError: One of the last two is not there; the message names what is.
    """
    known = {name.strip().lower(): name for name in reversed(names)}
    identity, molecule, description = (
        next((known[name] for name in wanted if name in known), None) for wanted in (_ID, _MOLECULE, _DESCRIPTION)
    )
    # MolT5's files call what was predicted the ground truth, whichever of the two it is.
    if molecule is None and description is not None:
        molecule = known.get(_EITHER)
    elif description is None:
        description = known.get(_EITHER)
    if molecule is None or description is None:
        what, wanted = ("molecule", _MOLECULE) if molecule is None else ("description", _DESCRIPTION)
        there = ", ".join(repr(name) for name in names)
        raise DataError(f"no column for the {what}; name one {' or '.join(wanted)} (there are {there})", path, line)
    return identity, molecule, description


def _table_rows(path: Path, lines: Iterator[str]) -> Iterator[_Row | DataError]:
    blank: list[str] = []
    for header in lines:
        if header.strip():
            break
        blank.append(header)
    tabs = "\t" in header
    of_record: list[str] = []  # the lines of the record that is being read

    def read() -> Iterator[str]:
        for text in chain(blank, [header], lines):
            of_record.append(text)
            yield text + "\n"  # a quoted field of CSV may go on over several lines

    reader = csv.reader(
        read(),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        strict=not tabs,
    )
    places: list[int | None] = []
    names: list[str] = []
    while True:
        line = reader.line_num + 1
        of_record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise DataError(f"broken table ({error}); mend the quotes of this record", path, line) from error
        if not any(field.strip() for field in fields):
            continue
        if not names:
            names = fields
            places = [None if name is None else names.index(name) for name in _find_columns(names, path, line)]
        elif len(fields) != len(names):
            reason = f"the record has {len(fields)} columns, the header {len(names)}; mend the record"
            yield DataError(reason, path, line, of_record[0])
        else:
            identity, molecule, description = (None if place is None else fields[place] for place in places)
            yield _Row(line, identity, molecule, description)


def _json_rows(path: Path, start: str, blocks: Iterator[str]) -> Iterator[_Row | DataError]:
    for value in json_values(path, start, blocks):
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        if not isinstance(fields, dict):
            yield DataError("a record must be an object with a molecule and a description", path, line, repr(fields))
        elif "conversation" in fields:
            raise DataError("the file holds conversations, not a table; give the task conversation", path, line)
        else:
            identity, molecule, description = _find_columns(list(fields), path, line)
            yield _Row(line, fields.get(identity or ""), fields[molecule], fields[description])
