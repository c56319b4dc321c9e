"""Duplicates and contradictions are found by digests, and repeats add up."""

import numpy as np
import pytest

from scimind.data.prepare.encoded_parts import EncodedParts, Part
from scimind.data.prepare.fates import NO_RECORD, Fate, decide, find_conflicts, find_duplicates, repeats, shares
from scimind.data.prepare.splitting import Split
from scimind.hashing import digest


def parts_of(folder, *records: tuple[str, str, str, int]) -> EncodedParts:
    """Returns records, given as entity, question, answer and number of rows, in parts of two."""
    parts = EncodedParts(folder, {})
    for start in range(0, len(records), 2):
        chunk = records[start : start + 2]
        entity, question, answer = (
            np.array([digest(text) for text in column], dtype=np.uint64)
            for column in list(zip(*chunk, strict=True))[:3]
        )
        owner = np.repeat(np.arange(len(chunk)), [rows for *_, rows in chunk]).astype(np.int32)
        lines = np.arange(start, start + len(chunk))
        none = np.zeros(len(chunk), dtype=np.int64)
        arrays = {"entity": entity, "group": entity, "question": question, "answer": answer, "owner": owner}
        parts.write(start // 2, Part(arrays | {"line": lines, "path": none, "tag": none}, {}))
    return parts


RECORDS = [
    ("a", "what is a", "x", 1),
    ("a", "what is a", "x", 1),  # the same again
    ("a", "what is a", "y", 1),  # another answer
    ("b", "what is b", "x", 0),  # too long
    ("b", "which is b", "z", 2),
]


@pytest.mark.parametrize(
    ("conflicts", "fates", "others"),
    [
        ("keep", [Fate.TRAIN, Fate.DUPLICATE, Fate.TRAIN], [NO_RECORD, 0, NO_RECORD]),
        ("list", [Fate.TRAIN, Fate.DUPLICATE, Fate.TRAIN], [2, 0, 0]),
        ("first", [Fate.TRAIN, Fate.DUPLICATE, Fate.CONFLICT], [NO_RECORD, 0, 0]),
        ("drop", [Fate.CONFLICT, Fate.CONFLICT, Fate.CONFLICT], [2, 2, 0]),
    ],
)
def test_each_record_has_a_fate(tmp_path, conflicts, fates, others):
    parts = [parts_of(tmp_path / "0", *RECORDS)]
    (decision,) = decide(parts, Split(), [conflicts], keep_duplicates=False, identity=0.8)
    assert decision.fate.tolist() == [*fates, Fate.UNUSABLE, Fate.TRAIN]
    assert decision.other.tolist() == [*others, NO_RECORD, NO_RECORD]
    assert decision.contradictory == 3
    assert decision.often.tolist() == [int(fate == Fate.TRAIN) for fate in decision.fate]
    assert decision.index.rows.tolist() == [1, 1, 1, 0, 2] and decision.index.starts.tolist() == [0, 2, 4, 5]


def test_records_that_answer_like_the_first_are_kept(tmp_path):
    records = [("a", "what is a", answer, 1) for answer in "xyx"]
    (decision,) = decide([parts_of(tmp_path, *records)], Split(), ["first"], keep_duplicates=True, identity=0.8)
    assert decision.fate.tolist() == [Fate.TRAIN, Fate.CONFLICT, Fate.TRAIN]


def test_sources_share_their_splits_and_keep_what_they_are_asked_to(tmp_path):
    entities = [str(number) for number in range(40)]
    parts = [parts_of(tmp_path / task, *((name, task + name, "x", 1) for name in entities)) for task in "ab"]
    split = Split(evaluation=0.3, test=0.3)
    first, second = decide(parts, split, ["keep", "keep"], keep_duplicates=False, identity=0.8)
    assert first.fate.tolist() == second.fate.tolist()
    assert set(first.fate.tolist()) == {Fate.TRAIN, Fate.EVALUATION, Fate.TEST}
    (kept,) = decide([parts_of(tmp_path / "0", *RECORDS)], Split(), ["keep"], keep_duplicates=True, identity=0.8)
    assert kept.fate.tolist() == [Fate.TRAIN] * 3 + [Fate.UNUSABLE, Fate.TRAIN]


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
