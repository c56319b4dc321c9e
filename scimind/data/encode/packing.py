"""Short records put together in rows as long as the model's sequence; a record is never divided."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IdsAndLabels = tuple[NDArray[np.int32], NDArray[np.int32]]

# Records that are looked at together. A larger window fills rows no better: what is lost is in each window's last rows.
WINDOW = 4096


def pack(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Returns the rows that records are put into: in each the numbers of its records, ascending.

    Best fit, longest first: each record goes where it leaves the least room. Rows are ordered by their first record.

    Args:
        lengths: Ids of each record, 1 to `width`.
        width: Ids of a row.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # what is left in each row, and the row; ascending
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
    """Collects records and gives them back in rows, window by window.

    In a row each record begins with its BOS, whose label is none, and ends in EOS: labels are shifted by one, so that
    the last input of a record predicts nothing. How often BOS was seen tells a position's record.

    Args:
        width: Ids of a row.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._records: list[IdsAndLabels] = []

    def add(self, ids: NDArray[np.int32], labels: NDArray[np.int32]) -> list[IdsAndLabels]:
        """Takes a record and returns the rows of its window, if it is the last one of it."""
        self._records.append((ids, labels))
        return self.take() if len(self._records) == WINDOW else []

    def take(self) -> list[IdsAndLabels]:
        """Returns the rows of all records that were added since the last time."""
        records, self._records = self._records, []
        rows = pack([len(ids) for ids, _ in records], self._width)
        return [
            (
                np.concatenate([records[number][0] for number in row]),
                np.concatenate([records[number][1] for number in row]),
            )
            for row in rows
        ]
