"""Packs short records into rows as long as the model's sequence; a record is never split."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IdsAndLabels = tuple[NDArray[np.int32], NDArray[np.int32]]

# Records that are packed together. A larger window hardly helps: only the last rows of each window are not full.
WINDOW = 4096


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Returns the numbers of the records in each row, in ascending order.

    Best fit, longest first: each record goes where the least room is left. Rows are ordered by their first record.

    Args:
        lengths: Number of ids of each record, 1 to `width`.
        width: Number of ids of a row.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (ids left, row) of each row, ascending
    for number in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        length = lengths[number]
        place = bisect_left(room, (length, 0))
        if place < len(room):
            left, row = room.pop(place)
        else:
            left, row = width, len(rows)
            rows.append([])
        rows[row].append(number)
        if left > length:
            insort(room, (left - length, row))
    return sorted(sorted(row) for row in rows)


class Packer:
    """Collects records and returns them packed into rows, window by window.

    In a row each record begins with BOS, which is not a label, and ends in EOS: labels are shifted by one, so that the
    last input of a record predicts nothing. The number of BOS ids up to a position identifies its record.

    Args:
        width: Number of ids of a row.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._records: list[IdsAndLabels] = []

    def add(self, ids: NDArray[np.int32], labels: NDArray[np.int32]) -> list[IdsAndLabels]:
        """Adds a record; returns the rows of its window if it completes the window, else nothing."""
        self._records.append((ids, labels))
        return self.take() if len(self._records) == WINDOW else []

    def take(self) -> list[IdsAndLabels]:
        """Returns the rows of all records added since the last call."""
        records, self._records = self._records, []
        rows = pack([len(ids) for ids, _ in records], self._width)
        return [
            (
                np.concatenate([records[number][0] for number in row]),
                np.concatenate([records[number][1] for number in row]),
            )
            for row in rows
        ]
