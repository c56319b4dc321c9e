"""The task that a table of molecules and a measured value, a label or several labels stands for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scimind.data.content.labels import find_label, listed_names, several_labels, split_names
from scimind.data.content.missing import is_missing
from scimind.data.content.numbers import MOST_DIGITS, NumberFormat
from scimind.data.formats.columns import Columns
from scimind.data.formats.rows import Row, read_rows
from scimind.errors import DataError, SciMindError

KINDS = ("number", "class", "labels")
_MOST_CLASSES = 100
# The last decimal that is written is at most this part of the values' standard deviation.
_FINEST = 0.1
_YES_OR_NO = {"yes": ("1", "true"), "no": ("0", "false")}


@dataclass(frozen=True)
class TableQuestion:
    """What is asked about the molecules of a table.

    Args:
        molecule: The column of molecules.
        target: The column of answers.
        kind: One of `KINDS`: a measured value, one of several classes, or several labels at once.
        digits: Decimals of a number; None for as many as the spread of the values asks for.
        unit: Unit of a number.
        transform: See `NumberFormat`.
    """

    molecule: str
    target: str
    kind: str
    digits: int | None = None
    unit: str = ""
    transform: str = ""

    def definition(self, path: Path) -> dict[str, Any]:
        """Returns the content of the task's YAML file.

        Args:
            path: The table, which is read for the classes or the spread of the values.

        Raises:
            SciMindError: A setting or a column is wrong, or the target has no values of its kind.
        """
        name = self.target.replace("{", "(").replace("}", ")").strip()
        given = self.digits is not None or self.unit or self.transform
        if self.kind != "number" and given:
            raise SciMindError(
                f"digits, unit and transform are only for --kind number, not {self.kind}; leave them out"
            )
        make = {"number": self._number, "class": self._class, "labels": self._labels}[self.kind]
        question, field, output = make(name, list(self._values(path)), path)
        return {
            "name": name,
            "question": question,
            "answer": "{answer}",
            "fields": {
                "molecule": {"kind": "smiles", "columns": [self.molecule]},
                "answer": {"columns": [self.target], **field},
            },
            "output": output,
        }

    def _values(self, path: Path) -> Iterator[Any]:
        """Yields the values of the target that are there."""
        columns = Columns({"molecule": [self.molecule], "answer": [self.target]})
        for row in read_rows(path, columns):
            if isinstance(row, Row) and not is_missing(row.values["answer"]):
                yield row.values["answer"]

    def _number(self, name: str, values: Sequence[Any], path: Path) -> _Parts:
        form = NumberFormat(MOST_DIGITS, self.unit, self.transform)
        if fault := form.fault():
            raise SciMindError(fault)
        numbers, first = [], ""
        for value in values:
            try:
                numbers.append(form.read_cell(value))
            except ValueError as error:
                first = first or f"; the first of {str(value)[:40]!r}: {error}"
        if not numbers:
            raise DataError(f"column {self.target} has no numbers{first}", path)
        digits = _digits_for(numbers) if self.digits is None else self.digits
        if digits > MOST_DIGITS:
            raise DataError(
                f"{MOST_DIGITS} decimals hardly show the values of column {self.target}; give --transform log10",
                path,
            )
        field = {"kind": "number", "digits": digits, "unit": self.unit, "transform": self.transform}
        scale = f"{_SCALES[self.transform]}{name}" + (f" in {self.unit}" if self.unit and self.transform != "p" else "")
        return (
            f"What is the {scale} of the molecule? {{molecule}}",
            {key: value for key, value in field.items() if value != ""},
            {"kind": "number"},
        )

    def _class(self, name: str, values: Sequence[Any], path: Path) -> _Parts:
        classes = sorted({" ".join(str(value).split()) for value in values})
        if len(classes) < 2:
            raise DataError(f"column {self.target} has {len(classes)} classes; give a column with at least two", path)
        if all(find_label(text, _YES_OR_NO) for text in classes):
            labels = {label: list(spellings[:1]) for label, spellings in _YES_OR_NO.items()}
            output: dict[str, Any] = {"kind": "choice", "choices": list(labels), "positive": "yes"}
            field = {"kind": "label", "labels": labels}
            return f"Is the answer for {name} yes or no? {{molecule}}", field, output
        if several := next((text for text in classes if several_labels(text, {})), ""):
            raise DataError(f"column {self.target} has several classes in a cell ({several}); give --kind labels", path)
        if len(classes) > _MOST_CLASSES:
            raise DataError(
                f"column {self.target} has {len(classes):,} different values, and at most {_MOST_CLASSES} can be "
                "classes; give --kind number or labels, or a task file",
                path,
            )
        output = {"kind": "choice", "choices": classes}
        return f"Which {name} has the molecule? {{molecule}}", {"kind": "label"}, output

    def _labels(self, name: str, values: Sequence[Any], path: Path) -> _Parts:
        if not any(_names_in(value) for value in values):
            raise DataError(f"column {self.target} has no labels; write them as a; b or as a list", path)
        return f"Which {name} has the molecule? {{molecule}}", {"kind": "names"}, {"kind": "names"}


_Parts = tuple[str, dict[str, Any], dict[str, Any]]  # question, field of the answer, output
_SCALES = {"": "", "log10": "log10 of the ", "p": "negative log10 of the molar "}


def _digits_for(numbers: Sequence[float]) -> int:
    """Returns the fewest decimals whose last place is at most a tenth of the numbers' standard deviation."""
    spread = float(np.std(numbers)) or abs(numbers[0]) or 1.0
    return max(0, math.ceil(-math.log10(spread * _FINEST) - 1e-9))


def _names_in(value: Any) -> list[str]:
    try:
        return listed_names(value) or split_names(str(value))
    except ValueError:
        return []
