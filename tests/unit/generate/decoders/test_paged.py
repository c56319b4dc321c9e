"""Places of a batch's keys and values in PagedAttention's blocks; the cache itself exists only on Ascend."""

from __future__ import annotations

import numpy as np

from scimind.generate.decoders.paged import CachePlaces
from tests.support.models import build, use_mode


def test_every_token_has_a_separate_slot_in_its_rows_blocks():
    use_mode("pynative")
    places = CachePlaces(build(use_past=True, batch_size=3, seq_length=20, block_size=8).config)
    lengths = np.array([5, 20, 1])
    positions = np.broadcast_to(np.arange(20), (3, 20))
    used = positions < lengths[:, None]
    slots = places.slots(positions, used).reshape(3, 20)
    assert (slots[~used] == -1).all()
    assert len(set(slots[used])) == lengths.sum()
    tables = places.tables(3)
    for row in range(3):
        for position in range(lengths[row]):
            assert slots[row, position] == tables[row, position // 8] * 8 + position % 8
    step = places.slots(np.array([[5], [6], [1]]), np.array(True))
    assert step.tolist() == [5, 24 + 6, 48 + 1]
