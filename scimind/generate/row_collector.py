"""Predictions that are not written to a file: kept in memory, or written to standard output as they arrive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO


class RowWriter(Protocol):
    """Receives the predictions of a run; see `PredictionWriter`."""

    path: Path
    written: int

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        """Adds the row of the prompt at place `index` of the input."""

    def flush(self) -> None:
        """Passes on every row whose turn it is."""


class RowCollector:
    """Keeps predictions in the input's order while they arrive in any order.

    Args:
        stream: Gets each row as a line of JSON; None to keep the rows in `rows` instead.

    Attributes:
        rows: The rows so far; empty if there is a stream.
        failures: Id and message of each prompt without an answer.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.path, self.written = Path("standard output"), 0
        self.rows: list[Mapping[str, Any]] = []
        self.failures: list[str] = []
        self._stream = stream
        self._waiting: dict[int, Mapping[str, Any]] = {}

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        """Adds the row of the prompt at place `index` of the input."""
        self._waiting[index] = row

    def flush(self) -> None:
        """Passes on every row whose turn it is."""
        while (row := self._waiting.pop(self.written, None)) is not None:
            self.written += 1
            if row["finish_reason"] == "error":
                self.failures.append(f"prompt {row['id']}: {row.get('message', '')}")
            if self._stream is None:
                self.rows.append(row)
            else:
                self._stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        if self._stream is not None:
            self._stream.flush()
