"""The training data as a MindSpore data set: each worker's records in the order of `RecordOrder`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore.dataset import GeneratorDataset, MindDataset, SubsetSampler

from scimind.train.feed.dataset_checks import COLUMNS
from scimind.train.feed.record_order import RecordOrder


class RecordBatches:
    """A worker's batches, step by step.

    Args:
        files: The MindRecord files.
        order: Which records a step takes.
        rank: The worker's number.
        steps: Number of batches.
        first_step: The step of the first batch, from 0.
        tokens: Length of a record, s + 1.
        ignore_token_id: All labels of a blank row; its inputs are 0.
    """

    def __init__(
        self,
        files: list[Path],
        order: RecordOrder,
        *,
        rank: int,
        steps: int,
        tokens: int,
        first_step: int = 0,
        ignore_token_id: int = -100,
    ) -> None:
        self._files = [str(file) for file in files]
        self._order, self._rank, self._tokens = order, rank, tokens
        self._first, self._end, self._ignore = first_step, first_step + steps, ignore_token_id

    def __len__(self) -> int:
        return self._end - self._first

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields `input_ids` and `labels`, int32 [share, s + 1]."""
        order, step = self._order, self._first
        while step < self._end:
            end = min(self._end, (step // order.steps_per_pass + 1) * order.steps_per_pass)
            counts = [order.real_rows(number, self._rank) for number in range(step, end)]
            rows = self._read(order.rows(self._rank, step, end - step)[: sum(counts)].tolist())
            for count in counts:
                input_ids = np.zeros((order.share, self._tokens), np.int32)
                labels = np.full((order.share, self._tokens), self._ignore, np.int32)
                for place in range(count):
                    input_ids[place], labels[place] = next(rows)
                yield input_ids, labels
            step = end

    def _read(self, records: list[int]) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields the given records of a pass, read ahead by MindSpore's threads."""
        if records:
            data = MindDataset(self._files, columns_list=list(COLUMNS), sampler=SubsetSampler(records))
            yield from data.create_tuple_iterator(num_epochs=1, output_numpy=True)


def training_data(batches: RecordBatches) -> ms.dataset.Dataset:
    """Returns the batches as a MindSpore data set of one epoch."""
    return GeneratorDataset(batches, list(COLUMNS), num_parallel_workers=1, python_multiprocessing=False)
