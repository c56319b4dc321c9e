"""Data whose answers are all the same is found, in files and in rows of several records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scimind.train.feed.row_answers import only_answer

WIDTH, NONE = 8, -100


def write(path: Path, *rows: Sequence[int]) -> list[Path]:
    """Writes rows of labels, filled up with those that are ignored."""
    import numpy as np
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(path), overwrite=True)
    writer.add_schema({"labels": {"type": "int32", "shape": [WIDTH]}}, "test")
    filled = [np.array([*row, *[NONE] * (WIDTH - len(row))], np.int32) for row in rows]
    writer.write_raw_data([{"labels": row} for row in filled])
    writer.commit()
    return [path]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(NONE, 5, 2), (NONE, NONE, 5, 2), (NONE, 5, 2)], ([5, 2], 3)),
        ([(NONE, 5, 2), (NONE, NONE, 5, 2), (NONE, 6, 2)], None),
        ([(NONE, 5, 2), (NONE, 5, 5, 2)], None),
        ([(NONE, 5, 2, NONE, 5, 2), (NONE, 5, 2)], ([5, 2], 3)),  # two records in a row
        ([(NONE, 5, 2, NONE, 6, 2)], None),
        ([(NONE, 5, 2)], None),  # a single record
    ],
)
def test_the_only_answer_of_data_is_found(
    rows: list[tuple[int, ...]], expected: tuple[list[int], int] | None, tmp_path: Path
) -> None:
    assert only_answer(write(tmp_path / "train.mindrecord", *rows)) == expected
