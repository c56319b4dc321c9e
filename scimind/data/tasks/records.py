"""The records of a task among those of a file: only some of its rows, and tables with a column for each label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scimind.data.content.missing import is_missing
from scimind.data.formats.columns import Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.rows import Row
from scimind.errors import DataError, SciMindError

Rows = Iterator[Row | DataError]

BETWEEN = ":"
"""What is between the id of a row and the name of its label in the id of a record, see `Wide`."""


@dataclass(frozen=True)
class Wide:
    """How a table with a column for each label is read: as one record for each row and label that has a value.

    The id of a record is that of the row, a colon and the name of the label.

    Args:
        names: The field that gets the name of the label; empty if tables are not wide.
        values: The field that gets the value of the label.
        columns: The columns of the labels in a wide table, with the name of each.
    """

    names: str = ""
    values: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    def added_to(self, columns: Columns) -> Columns:
        """Returns columns of which those of the labels, the name and the value may be missing."""
        if not self.names:
            return columns
        names = {**columns.names, **{column: (column.lower(),) for column in self.columns}}
        return replace(columns, names=names, optional=columns.optional | {self.names, self.values, *self.columns})

    def records(self, rows: Rows, default: str) -> Rows:
        """Yields the records of rows; a row without a value is yielded unchanged.

        Args:
            rows: The rows. A value may also be an object with the value of each label by name.
            default: The name of a label that its record does not name.
        """
        for row in rows:
            if isinstance(row, DataError) or not self.names:
                yield row
                continue
            own = {name: value for name, value in row.values.items() if name not in self.columns}
            given = self._values(row, default)
            for name, value in given.items():
                identity = f"{row.id}{BETWEEN}{name}"
                yield Row(identity, {**own, self.names: name, self.values: value}, row.path, row.line)
            if not given:
                yield replace(row, values=own)

    def _values(self, row: Row, default: str) -> dict[str, Any]:
        value, name = row.values.get(self.values), row.values.get(self.names)
        if isinstance(value, Mapping):
            return {str(name): entry for name, entry in value.items() if not is_missing(entry)}
        if not is_missing(value):
            name = default if is_missing(name) else str(name).strip()
            return {self.columns.get(name, name): value}
        cells = {name: row.values.get(column) for column, name in self.columns.items()}
        return {name: cell for name, cell in cells.items() if not is_missing(cell)}


@dataclass(frozen=True)
class Only:
    """Which rows of a file are records of a task.

    Args:
        values: The accepted values by column; `a.b` means the key `b` of an object in the column `a`.
        required: The columns that must be there. Rows without a value in another column are accepted.
    """

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()

    def added_to(self, columns: Columns) -> Columns:
        """Returns columns with those that decide about a row."""
        found = {name: (name.lower(),) for column in self.values if (name := column.partition(".")[0])}
        needed = {column.partition(".")[0] for column in self.required}
        optional = {name for name in found if name not in columns.names and name not in needed}
        return replace(columns, names={**found, **columns.names}, optional=columns.optional | optional)

    def records(self, rows: Rows, path: Path, notes: FileNotes) -> Rows:
        """Yields the accepted rows, and errors; notes how many rows were not accepted.

        Raises:
            DataError: No row is accepted.
        """
        if not self.values:
            yield from rows
            return
        left, is_empty = 0, True
        for row in rows:
            if isinstance(row, DataError) or self._accepts(row):
                is_empty = False
                yield row
            else:
                left += 1
        wanted = " and ".join(f"{column} {' or '.join(values)}" for column, values in self.values.items())
        if is_empty and left:
            raise DataError(f"none of its {left:,} records has {wanted}; give another file, task or --only", path)
        if left:
            notes.add_remark(f"{left:,} records passed over, since only those with {wanted} are taken")

    def _accepts(self, row: Row) -> bool:
        for column, accepted in self.values.items():
            value: Any = row.values
            for key in column.split("."):
                value = value.get(key) if isinstance(value, Mapping) else None
            if column not in self.required and is_missing(value):
                continue
            if str(value).strip().casefold() not in {text.casefold() for text in accepted}:
                return False
        return True


def parse_only(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns the values of each column that `--only COLUMN=VALUE` accepts; several of a column are alternatives.

    Raises:
        SciMindError: A text has another form.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        column, _, value = (part.strip() for part in text.partition("="))
        if not column or not value:
            raise SciMindError(f"--only ({text}) must have the form COLUMN=VALUE, such as split=train")
        found[column] = (*found.get(column, ()), value)
    return found
