"""The answers in the rows of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def answer_runs(labels: NDArray[np.integer]) -> list[tuple[int, int]]:
    """Returns start and stop of each run of labels [s + 1] that are not negative: the answers of a row."""
    is_answer = np.r_[False, labels >= 0, False]
    edges = np.flatnonzero(is_answer[1:] != is_answer[:-1])
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def only_answer(files: list[Path]) -> tuple[list[int], int] | None:
    """Returns the answer that all records have, and how many answers there are; None if there are several or one.

    It reads until the first answer that differs, so that it takes long only if there is something to report.

    Args:
        files: The MindRecord files of checked records.
    """
    first: NDArray[np.int32] | None = None
    number = 0
    for labels in _labels(files):
        for start, stop in answer_runs(labels):
            answer, number = labels[start:stop], number + 1
            if first is None:
                first = answer
            elif not np.array_equal(first, answer):
                return None
    return None if first is None or number < 2 else (first.tolist(), number)


def _labels(files: list[Path]) -> Iterator[NDArray[np.int32]]:
    from mindspore.dataset import MindDataset

    data = MindDataset([str(file) for file in files], columns_list=["labels"], shuffle=False)
    for (labels,) in data.create_tuple_iterator(num_epochs=1, output_numpy=True):
        yield labels
