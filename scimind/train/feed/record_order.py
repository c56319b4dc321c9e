"""The order of the records in a training, and each worker's share of it.

The order depends only on the seed and on the number of the pass over the data, so it is the same for any number of
workers and can start at any step. Step k takes the next `global_batch_size` records of its pass, divided among the
workers by rank. A pass ends with a complete step: the remaining records are dropped (others in each pass), or get a
separate step that is filled up with blank rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RecordOrder:
    """The records that each step takes.

    Args:
        records: Number of records in the data.
        global_batch_size: Records per step over all workers; a multiple of `workers`.
        seed: Determines the order.
        workers: Number of processes that train together.
        shuffle: Whether each pass is shuffled differently; otherwise the data's order is kept.
        drop_remainder: Whether records that do not fill a step are dropped.
    """

    records: int
    global_batch_size: int
    seed: int = 0
    workers: int = 1
    shuffle: bool = True
    drop_remainder: bool = True

    @property
    def share(self) -> int:
        """Number of records in a worker's step."""
        return self.global_batch_size // self.workers

    @property
    def steps_per_pass(self) -> int:
        """Number of steps in a pass over the data."""
        whole, rest = divmod(self.records, self.global_batch_size)
        return whole + (1 if rest and not self.drop_remainder else 0)

    def of_pass(self, number: int) -> np.ndarray:
        """Returns the records of a pass in order, int64 [records].

        Args:
            number: Number of the pass, from 0.
        """
        if not self.shuffle:
            return np.arange(self.records)
        return np.random.default_rng((self.seed, number)).permutation(self.records)

    def real_rows(self, step: int, rank: int) -> int:
        """Returns how many rows of a worker's step hold a record; the following rows are blank.

        Args:
            step: The step, from 0.
            rank: The worker's number.
        """
        first = step % self.steps_per_pass * self.global_batch_size + rank * self.share
        return int(np.clip(self.records - first, 0, self.share))

    def rows(self, rank: int, first_step: int, steps: int) -> np.ndarray:
        """Returns the records of a worker, step by step, int64 [steps · share]; 0 for blank rows.

        Args:
            rank: The worker's number.
            first_step: The first step, from 0.
            steps: Number of steps.
        """
        found = np.zeros((steps, self.share), np.int64)
        order, number = np.empty(0, np.int64), -1
        for place, step in enumerate(range(first_step, first_step + steps)):
            if step // self.steps_per_pass != number:
                number = step // self.steps_per_pass
                order = self.of_pass(number)
            first = step % self.steps_per_pass * self.global_batch_size + rank * self.share
            taken = order[first : first + self.share]
            found[place, : len(taken)] = taken
        return found.reshape(-1)


def order_of_data(data: Mapping[str, Any], records: int, share: int, workers: int, seed: int) -> RecordOrder:
    """Returns the order that a section `train_dataset` specifies.

    Args:
        data: The section.
        records: Number of records in the data.
        share: Number of records in a worker's step.
        workers: Number of processes that train together.
        seed: Determines the order.
    """
    loader = data["data_loader"]
    limit = loader.get("num_samples")
    return RecordOrder(
        records=min(records, limit) if limit else records,
        global_batch_size=share * workers,
        seed=seed,
        workers=workers,
        shuffle=bool(loader.get("shuffle", True)),
        drop_remainder=bool(data.get("drop_remainder", True)),
    )
