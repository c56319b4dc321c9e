"""Several answers to a prompt in a file of predictions: as a list in its JSON record, or as rows with ranks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.data.formats.columns import normalised
from scimind.errors import DataError

_LIST = "outputs"
_LIKELIHOOD = "log_likelihood"
_MOST_DIGITS = 9


@dataclass(frozen=True)
class Answer:
    """One answer to a prompt.

    Attributes:
        text: The answer, as written in the file.
        log_likelihood: Of the whole answer, in nats; None if the file does not give it.
    """

    text: str
    log_likelihood: float | None = None


def answers_of(entry: dict[str, Any], column: str, path: Path, line: int) -> list[Answer]:
    """Returns the answers of a JSON record, the best first; the only one is empty if there are none.

    Args:
        entry: The record. Its column of outputs is a text, or a list of texts or of objects with a text `output`. Next
            to a column `output` there may be such a list `outputs` that begins with the same text.
        column: The name of its column of outputs.
        path: The file, for messages.
        line: The record's line, for messages.

    Raises:
        DataError: The column has another form, or the list belongs to another output.
    """

    def fault(reason: str) -> DataError:
        return DataError(reason, path, line, json.dumps(entry))

    value = entry[column]
    if isinstance(value, list):
        return [_answer(part, number, column, fault) for number, part in enumerate(value, 1)] or [Answer("")]
    if not isinstance(value, str):
        raise fault('each line needs "output" with a text')
    listed = entry.get(_LIST) if normalised(column) == "output" else None
    if listed is None or isinstance(listed, str):  # a text of another name is a column like any other
        return [Answer(value)]
    if not isinstance(listed, list):
        raise fault(f'"{_LIST}" must be a list of answers')
    found = [_answer(part, number, _LIST, fault) for number, part in enumerate(listed, 1)] or [Answer("")]
    if found[0].text != value:
        raise fault(f'"{_LIST}" must begin with "output"; correct it, or choose one: --columns output={_LIST}')
    return found


def _answer(part: Any, number: int, column: str, fault: Callable[[str], DataError]) -> Answer:
    if isinstance(part, str):
        return Answer(part)
    if not isinstance(part, dict) or not isinstance(part.get("output"), str):
        raise fault(f'answer {number} of "{column}" needs "output" with a text')
    likelihood = part.get(_LIKELIHOOD)
    if likelihood is not None and not _is_finite(likelihood):
        raise fault(f'"{_LIKELIHOOD}" of answer {number} of "{column}" must be a number')
    return Answer(part["output"], likelihood)


def likelihood_in(cell: Any) -> float | None:
    """Returns the log-likelihood in a table's cell; None if it holds no finite number."""
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True)
class RankedRow:
    """What groups the rows of a table.

    Attributes:
        id: The prompt's id.
        rank: The cell of the column `rank`; None if there is none.
        line: The row's line.
    """

    id: str
    rank: Any
    line: int


def group_by_rank(rows: Sequence[RankedRow], path: Path) -> list[list[int]]:
    """Returns the places of the rows of each prompt, in the order of their ranks, which are 1, 2, 3, …

    If all ids differ, each row is a prompt and a column `rank` has no meaning here.

    Raises:
        DataError: An id is repeated in a row without a rank, or the ranks of a prompt have a gap or are repeated.
    """
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(row.id, []).append(place)
    if len(groups) == len(rows):
        return list(groups.values())
    return [_in_order(group, rows, path) for group in groups.values()]


def _in_order(group: Sequence[int], rows: Sequence[RankedRow], path: Path) -> list[int]:
    by_rank: dict[int, int] = {}
    for place in group:
        row, earlier = rows[place], rows[group[0]].line
        if row.rank is None or not str(row.rank).strip():
            if len(group) == 1:
                return [place]
            remedy = "make the ids unique, or number the answers to a prompt in a column rank"
            raise DataError(f"id {row.id!r} is already on line {earlier}; {remedy}", path, rows[group[1]].line)
        rank = _rank(row, path)
        if rank in by_rank:
            reason = f"id {row.id!r} already has rank {rank} on line {rows[by_rank[rank]].line}"
            raise DataError(f"{reason}; number the answers from 1", path, row.line)
        by_rank[rank] = place
    missing = next((rank for rank in range(1, len(group) + 1) if rank not in by_rank), None)
    if missing is not None:
        last = rows[group[-1]]
        raise DataError(f"id {last.id!r} has no answer of rank {missing}; number the answers from 1", path, last.line)
    return [by_rank[rank] for rank in sorted(by_rank)]


def _rank(row: RankedRow, path: Path) -> int:
    text = str(row.rank).strip().removesuffix(".0")  # a workbook's numbers have a fraction
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) > 0):
        raise DataError(f"rank ({text[:40]}) must be a whole number from 1", path, row.line)
    return int(text)
