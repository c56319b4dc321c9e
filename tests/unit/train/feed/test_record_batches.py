"""The workers' data sets together hold each record exactly once per pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scimind.train.feed.record_order import RecordOrder
from tests.integration.test_finetune import write_records

RECORDS, TOKENS = 21, 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(tmp_path_factory.mktemp("data") / "train.mindrecord", RECORDS, TOKENS, highest=10_000)


def read(data: Path, order: RecordOrder, rank: int, steps: int, first_step: int = 0) -> list[np.ndarray]:
    """Returns `input_ids` and `labels` of each step [2, share, s + 1]."""
    from scimind.train.feed.record_batches import RecordBatches, training_data

    batches = RecordBatches([data], order, rank=rank, steps=steps, tokens=TOKENS, first_step=first_step)
    dataset = training_data(batches)
    assert dataset.get_dataset_size() == steps
    return [np.stack(columns) for columns in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)]


def test_the_shares_of_a_pass_are_the_data(data: Path) -> None:
    from mindspore.dataset import MindDataset

    rows = MindDataset([str(data)], columns_list=["input_ids", "labels"], shuffle=False)
    stored = sorted(np.stack(row).tolist() for row in rows.create_tuple_iterator(num_epochs=1, output_numpy=True))
    order = RecordOrder(RECORDS, 8, seed=1, workers=4, drop_remainder=False)
    assert order.steps_per_pass == 3
    shares = [read(data, order, rank, steps=6) for rank in range(4)]
    for first in (0, 3):
        found, blank = [], 0
        for share in shares:
            for step in share[first : first + 3]:
                assert step.shape == (2, 2, TOKENS)
                assert step.dtype == np.int32
                for place in range(2):
                    if (step[1, place] == -100).all():
                        blank += 1
                        assert not step[0, place].any()
                    else:
                        found.append(step[:, place].tolist())
        assert blank == 3 * 8 - RECORDS
        assert sorted(found) == stored


def test_a_later_start_gives_the_rest(data: Path) -> None:
    order = RecordOrder(RECORDS, 8, seed=1, workers=2)
    whole = read(data, order, rank=1, steps=7)
    assert np.array_equal(read(data, order, rank=1, steps=4, first_step=3), whole[3:])
    # The twin: the other worker's share differs.
    assert not np.array_equal(read(data, order, rank=0, steps=7), whole)
