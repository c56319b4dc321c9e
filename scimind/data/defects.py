"""The names of the defects that a record can have."""

from __future__ import annotations

from typing import NamedTuple

from scimind.errors import DataError

MALFORMED = "malformed"  # a missing column, broken JSON, an open quote
ENCODING = "wrong encoding"
LONG_LINE = "very long line"
EMPTY = "empty field"
UNPARSABLE = "unparsable SMILES"
LETTER = "foreign letter"
LABEL = "unknown label"
NUMBER = "not a value of the field"
TOO_LONG = "too long"
DUPLICATE = "duplicate"
CONFLICT = "conflicting answers"
FILE_FORMAT = "line ends or encoding"  # of a file; its records are used

# Changes to a value of a record that is kept.
STRIPPED = "text after a molecule"
RESPELLED = "respelled molecule"
CONVERTED = "converted InChI"
RESOLVED = "ambiguous letters"

DEFECTS = (MALFORMED, ENCODING, LONG_LINE, EMPTY, UNPARSABLE, LETTER, LABEL, NUMBER, TOO_LONG, DUPLICATE, CONFLICT)

# Characters of a SMILES, or atoms. The time that RDKit takes for a canonical SMILES grows with the square of the atoms
# (2 s for a chain of this length), cannot be interrupted, and a chain three times as long overflows its stack.
MOST_ATOMS = 10_000


class Change(NamedTuple):
    """A change to a value of a record that is kept: its name, what was done, and the value before."""

    defect: str
    reason: str
    text: str


class RecordError(DataError):
    """A fault of one record; path and line are added where they are known.

    Args:
        defect: One of `DEFECTS`.
        reason: What is wrong and what to do.
        path: The file, if it is known.
        line: Line number, from 1.
        text: The offending text; only its beginning is shown.
    """

    def __init__(self, defect: str, reason: str, path: object = None, line: int | None = None, text: str = "") -> None:
        super().__init__(reason, None if path is None else str(path), line, text)
        self.defect = defect


def defect_of(error: DataError) -> str:
    """Returns the name of an error's defect."""
    return error.defect if isinstance(error, RecordError) else MALFORMED


def check_size(size: int, text: str, what: str = "characters") -> None:
    """Raises a RecordError for a molecule that is too large for RDKit.

    Args:
        size: Its number of characters or atoms.
        text: How it is written.
        what: What was counted.
    """
    if size > MOST_ATOMS:
        reason = f"the molecule has {size:,} {what}, too many for RDKit (at most {MOST_ATOMS:,}); remove the record"
        raise RecordError(UNPARSABLE, reason, text=text)
