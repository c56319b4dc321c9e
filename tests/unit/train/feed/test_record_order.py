"""Each record occurs once per pass, steps are the same for any number of workers, and any step can be the first."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import ConfigError
from scimind.train.feed.batch_sizes import divide_batch
from scimind.train.feed.record_order import RecordOrder


def real_records(order: RecordOrder, step: int) -> list[list[int]]:
    """Returns the records of each worker in a step."""
    found = []
    for rank in range(order.workers):
        rows = order.rows(rank, step, 1)
        assert len(rows) == order.share
        found.append(rows[: order.real_rows(step, rank)].tolist())
    return found


@pytest.mark.parametrize("records", [48, 50, 61])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_pass_has_each_record_once(records: int, workers: int) -> None:
    order = RecordOrder(records, 12, seed=5, workers=workers, drop_remainder=False)
    for number in range(2):
        first = number * order.steps_per_pass
        seen = [
            record
            for step in range(first, first + order.steps_per_pass)
            for share in real_records(order, step)
            for record in share
        ]
        assert sorted(seen) == list(range(records))
        assert seen == order.of_pass(number).tolist()
    assert order.of_pass(0).tolist() != order.of_pass(1).tolist()


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_divide_the_step_of_one(workers: int) -> None:
    alone, together = RecordOrder(50, 12, seed=1), RecordOrder(50, 12, seed=1, workers=workers)
    assert alone.steps_per_pass == together.steps_per_pass == 4  # two records are left over
    for step in range(10):
        assert sum(real_records(together, step), []) == real_records(alone, step)[0]
    # The twin: another seed gives another order.
    assert real_records(RecordOrder(50, 12, seed=2), 0) != real_records(alone, 0)


def test_an_order_can_begin_at_any_step() -> None:
    order = RecordOrder(50, 12, seed=3, workers=2)
    whole = order.rows(1, 0, 11)
    assert np.array_equal(order.rows(1, 5, 6), whole[5 * order.share :])


def test_without_shuffling_it_is_the_order_of_the_data() -> None:
    order = RecordOrder(10, 4, shuffle=False)
    assert order.rows(0, 0, 3).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]


def test_a_batch_is_divided_among_workers_and_parts() -> None:
    assert divide_batch({"batch_size": 8}, 4) == (8, 1)
    assert divide_batch({"batch_size": 8, "gradient_accumulation_steps": 4}, 4) == (32, 4)
    assert divide_batch({"batch_size": 16, "global_batch_size": 16}, 4) == (4, 1)
    assert divide_batch({"batch_size": 5, "global_batch_size": 24}, 2) == (12, 3)
    assert divide_batch({"batch_size": 4, "gradient_accumulation_steps": 3, "global_batch_size": 24}, 2) == (12, 3)
    with pytest.raises(ConfigError, match=r"global_batch_size \(16\) must be a multiple of .* workers \(3\)"):
        divide_batch({"batch_size": 16, "global_batch_size": 16}, 3)
    with pytest.raises(ConfigError, match=r"batch_size \(16\), .* must be at most global_batch_size \(8\)"):
        divide_batch({"batch_size": 16, "global_batch_size": 8}, 2)
    with pytest.raises(ConfigError, match=r"must be batch_size \(4\) x gradient_accumulation_steps \(3\) x workers"):
        divide_batch({"batch_size": 4, "gradient_accumulation_steps": 3, "global_batch_size": 16}, 2)
