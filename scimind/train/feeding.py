"""The training data as MindSpore's data set: each worker's records in the order of `RecordOrder`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore.dataset import MindDataset, SubsetSampler, transforms

from scimind.train.order import RecordOrder
from scimind.train.records import COLUMNS


def training_data(
    files: list[Path],
    order: RecordOrder,
    *,
    rank: int,
    steps: int,
    first_step: int = 0,
    ignore_token_id: int = -100,
    settings: Mapping[str, Any] | None = None,
) -> ms.dataset.Dataset:
    """Returns a worker's batches: `steps` of them, as one epoch of MindSpore.

    Args:
        files: The MindRecord files.
        order: Which records a step takes.
        rank: The worker.
        steps: Steps.
        first_step: The step to begin with, from 0.
        ignore_token_id: The label that a blank row has everywhere.
        settings: `num_parallel_workers`, `prefetch_size` of the configuration.

    Returns:
        Batches of `input_ids` and `labels`, int32 [share, s + 1].
    """
    given = dict(settings or {})
    threads = {"num_parallel_workers": int(given["num_parallel_workers"])} if given.get("num_parallel_workers") else {}
    if given.get("prefetch_size"):
        ms.dataset.config.set_prefetch_size(int(given["prefetch_size"]))
    indices = order.rows(rank, first_step, steps).tolist()
    names = [str(file) for file in files]
    data = MindDataset(names, columns_list=list(COLUMNS), sampler=SubsetSampler(indices), **threads)
    for column in COLUMNS:
        data = data.map(transforms.TypeCast(ms.int32), input_columns=[column], **threads)
    if order.drop_remainder or order.records % order.global_batch_size == 0:
        return data.batch(order.share, drop_remainder=True, **threads)

    def blank(input_ids: list[np.ndarray], labels: list[np.ndarray], batch: Any) -> tuple[list[np.ndarray], ...]:
        for row in range(order.real_rows(first_step + batch.get_batch_num(), rank), order.share):
            labels[row] = np.full_like(labels[row], ignore_token_id)
        return input_ids, labels

    return data.batch(order.share, drop_remainder=True, per_batch_map=blank, **threads)
