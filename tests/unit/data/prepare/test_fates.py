"""What becomes of records: duplicates and contradictions are found by digests, repeats add up."""

import numpy as np
import pytest

from scimind.data.prepare.fates import NO_RECORD, find_conflicts, find_duplicates, repeats, shares


def test_duplicates_and_conflicts():
    question = np.array([7, 8, 7, 7, 9, 8], dtype=np.uint64)
    answer = np.array([1, 2, 3, 1, 1, 2], dtype=np.uint64)
    assert find_duplicates(question, answer).tolist() == [0, 1, 2, 0, 4, 1]
    assert find_conflicts(question, answer).tolist() == [2, NO_RECORD, 0, 2, NO_RECORD, NO_RECORD]


def test_repeats_and_shares():
    keys = np.arange(10, dtype=np.uint64)
    for wanted in (0, 7, 10, 25):
        often = repeats(wanted, keys, 0)
        assert often.sum() == wanted and often.max() - often.min() <= 1
    assert shares([100, 400], [None, None], 1) == [0.2, 0.8]
    assert shares([100, 400], [None, None], 2) == pytest.approx([1 / 3, 2 / 3])
    assert shares([100, 400], [3, 1], 5) == [0.75, 0.25]
