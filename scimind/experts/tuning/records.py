"""The records that gates are tuned and measured on, and their division into steps."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from scimind.errors import ConfigError
from scimind.train.feed.dataset_checks import COLUMNS

_MOST_HELD_OUT = 256

Records = tuple[np.ndarray, np.ndarray]  # input_ids and labels, int32 [n, s + 1] each


def read_records(files: list[Path], eval_files: list[Path], needed: int, seed: int) -> tuple[Records, Records]:
    """Returns the records to tune on and the held-out ones; no more than needed.

    Args:
        files: MindRecord files to tune on.
        eval_files: Held-out files; if empty, a tenth of `files` is set aside.
        needed: Number of records that all steps take together.
        seed: Determines which records of `files` are taken.

    Raises:
        ConfigError: There is only one record, so none can be held out.
    """
    if eval_files:
        return _read(files, needed, seed), _read(eval_files, _MOST_HELD_OUT, None)
    ids, labels = _read(files, needed + _MOST_HELD_OUT, seed)
    if len(ids) < 2:
        raise ConfigError("--data has only one record, so none can be held out; give more, or --eval-data")
    held_out = min(_MOST_HELD_OUT, max(1, len(ids) // 10))
    return (ids[held_out:], labels[held_out:]), (ids[:held_out], labels[:held_out])


def batches_of_steps(records: int, batch_size: int, steps: int, seed: int) -> list[np.ndarray]:
    """Returns the records of each step [batch_size]; each pass takes all of them in a new order."""
    random = np.random.default_rng(seed)
    rounds = math.ceil(steps * batch_size / records)
    order = np.concatenate([random.permutation(records) for _ in range(rounds)])
    return [order[i * batch_size : (i + 1) * batch_size] for i in range(steps)]


def _read(files: list[Path], most: int, seed: int | None) -> Records:
    """Returns a random choice of records, or the first ones without a seed."""
    from mindspore.dataset import MindDataset
    from mindspore.dataset import config as dataset_config

    if seed is not None:
        dataset_config.set_seed(seed)
    names = [str(file) for file in files]
    # A data set repeats records if more are requested than it has, and held-out ones would be among the others.
    most = min(most, MindDataset(names, shuffle=False).get_dataset_size())
    data = MindDataset(names, columns_list=list(COLUMNS), shuffle=seed is not None, num_samples=most)
    rows = list(data.create_tuple_iterator(num_epochs=1, output_numpy=True))
    return np.stack([row[0] for row in rows]).astype(np.int32), np.stack([row[1] for row in rows]).astype(np.int32)
