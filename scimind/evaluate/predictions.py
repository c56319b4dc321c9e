"""Files of predictions, read for scoring."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.errors import DataError


@dataclass(frozen=True)
class ScoredPair:
    """One output with what it should have been.

    Attributes:
        id: The prompt's id, or its line number.
        output: The model's text.
        reference: The right text; None where there is none.
    """

    id: str
    output: str
    reference: str | None


def read_pairs(predictions: str | Path, references: str | Path | None = None) -> list[ScoredPair]:
    """Reads outputs and references.

    Args:
        predictions: JSON lines with `id`, `output` and perhaps `reference`, or a text file with one output a line.
        references: A text file with one reference a line, in the order of the predictions; None takes those of the
            JSON lines.

    Returns:
        One pair per output, in order.

    Raises:
        DataError: A file is missing, empty or broken, or the two have different numbers of lines.
    """
    path = Path(predictions)
    lines = _lines(path)
    if path.suffix == ".jsonl":
        pairs = [_pair(path, number, line) for number, line in enumerate(lines, 1)]
    else:
        pairs = [ScoredPair(str(number), line, None) for number, line in enumerate(lines, 1)]
    if references is None:
        return pairs
    right = _lines(Path(references))
    if len(right) != len(pairs):
        raise DataError(
            f"{len(right)} references for {len(pairs)} predictions; both must have the same order", references
        )
    return [ScoredPair(pair.id, pair.output, reference) for pair, reference in zip(pairs, right, strict=True)]


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError("the file does not exist; check the path", path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", path) from error
    if not lines:
        raise DataError("the file is empty", path)
    return lines


def _pair(path: Path, number: int, line: str) -> ScoredPair:
    try:
        entry: Any = json.loads(line)
    except ValueError as error:
        raise DataError(f"not a JSON object ({error})", path, number, line) from error
    if not isinstance(entry, dict) or not isinstance(entry.get("output"), str):
        raise DataError('a line needs "output"', path, number, line)
    return ScoredPair(str(entry.get("id", number)), entry["output"], entry.get("reference"))
