"""The choice of records for each step."""

from __future__ import annotations

import numpy as np

from scimind.experts.tuning.records import batches_of_steps


def test_each_record_is_seen_once_per_round():
    order = batches_of_steps(records=10, batch_size=4, steps=5, seed=1)
    assert [len(batch) for batch in order] == [4] * 5
    assert sorted(np.concatenate(order)[:10]) == list(range(10))
    assert np.array_equal(order, batches_of_steps(10, 4, 5, 1)) and not np.array_equal(
        order, batches_of_steps(10, 4, 5, 2)
    )
