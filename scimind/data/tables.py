r"""Pairs of a molecule and its description from tables: L+M-24, ChEBI-20, MolT5's TSV files, JSON with the same keys.

| data | molecule | description | id |
|---|---|---|---|
| L+M-24 | `molecule` | `caption` | |
| ChEBI-20 | `SMILES` | `description` | `CID` |
| predictions, smiles2caption | `SMILES` | `ground truth` | |
| predictions, caption2smiles | `ground truth` | `description` | |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scimind.data.defects import EMPTY, MALFORMED, RecordError
from scimind.data.formats.rows import Columns, read_rows
from scimind.errors import DataError

# MolT5's files call what was predicted the ground truth, whichever of the two it is.
PAIR_COLUMNS = Columns(
    {"molecule": ("molecule", "smiles"), "description": ("caption", "description")},
    fallback={"molecule": "ground truth", "description": "ground truth"},
)

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

    Args:
        path: A file of any form, see `rows`.

    Raises:
        DataError: The file as a whole cannot be read, or a column is missing.
    """
    for row in read_rows(path, PAIR_COLUMNS):
        if isinstance(row, DataError):
            yield row
            continue
        try:
            molecule, description = (text_of(row.values[name], name) for name in ("molecule", "description"))
        except RecordError as error:
            yield RecordError(error.defect, error.reason, row.path, row.line)
            continue
        molecule, repairs = repair_backslashes(molecule)
        yield Pair(row.id, molecule, description, row.path, row.line, repairs)


def text_of(value: object, name: str) -> str:
    """Returns the text of a field, without white space around it.

    Raises:
        RecordError: It is empty, or no text.
    """
    if isinstance(value, str) and (text := value.strip()):
        return text
    if value is None or isinstance(value, str):
        raise RecordError(EMPTY, f"the {name} is empty; fill it in or remove the record")
    raise RecordError(MALFORMED, f"the {name} is no text; write it as text", text=repr(value))
