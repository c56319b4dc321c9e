"""Records are packed whole, each once, in as few rows as possible."""

import json
import random

import numpy as np
import pytest

from scimind.data import prepare, read_conversations
from scimind.data.encode import packing
from scimind.data.encode.packing import Packer, pack
from scimind.data.encode.rendering import IGNORED_LABEL, encode_conversation
from scimind.data.prepare.mindrecord import COLUMNS, count_records


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([10], [[0]]),
        ([10, 10], [[0], [1]]),
        ([6, 5, 4, 5], [[0, 2], [1, 3]]),
        ([1, 9, 5, 5], [[0, 1], [2, 3]]),
        ([3, 3, 3, 3], [[0, 1, 2], [3]]),
        ([4, 8, 2, 6], [[0, 3], [1, 2]]),
    ],
)
def test_rows(lengths, expected):
    assert pack(lengths, 10) == expected


def test_every_record_is_in_one_row_that_has_room():
    draw = random.Random(0)
    for _ in range(50):
        lengths = [draw.randint(1, 100) for _ in range(draw.randint(1, 300))]
        rows = pack(lengths, 100)
        assert sorted(number for row in rows for number in row) == list(range(len(lengths)))
        assert all(row == sorted(row) and sum(lengths[number] for number in row) <= 100 for row in rows)
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        # No row would have fitted into another one, and there are few more than the minimum.
        filled = sorted(sum(lengths[number] for number in row) for row in rows)
        assert len(filled) == 1 or filled[0] + filled[1] > 100
        assert len(rows) <= 1.23 * sum(lengths) / 100 + max(1, sum(length > 50 for length in lengths))


def test_a_window_is_packed_when_it_is_full(monkeypatch):
    monkeypatch.setattr(packing, "WINDOW", 4)
    packer = Packer(6)
    record = (np.array([1, 5, 2], np.int32), np.array([-100, 5, 2], np.int32))
    assert [len(packer.add(*record)) for _ in range(5)] == [0, 0, 0, 2, 0]
    ((ids, labels),) = packer.take()
    assert ids.tolist() == [1, 5, 2] and labels.tolist() == [-100, 5, 2]
    assert packer.take() == []


@pytest.mark.parametrize("loss_on_prompt", [False, True])
def test_packed_rows_hold_the_records(codec, sample, tmp_path, loss_on_prompt):
    from mindspore.dataset import MindDataset

    given = {"codec": codec, "seq_length": 320, "progress": False, "loss_on_prompt": loss_on_prompt}
    path = sample / "smiles2text/test.json"
    plain = prepare("conversation", [path], tmp_path / "plain", **given)
    summary = prepare("conversation", [path], tmp_path / "packed", packed=True, **given)
    assert (summary.written, summary.tokens, summary.lengths) == (plain.written, plain.tokens, plain.lengths)
    assert summary.answer_tokens == plain.answer_tokens
    assert summary.rows == count_records(tmp_path / "packed/test.mindrecord") < plain.rows == plain.written
    assert summary.fill["record"] == plain.fill["row"] < summary.fill["row"] > 0.9
    assert json.loads((tmp_path / "packed/test.summary.json").read_text())["packed"] is True
    assert "rows filled" in summary.table() and "rows" not in plain.table()
    assert (tmp_path / "packed/test.json").read_bytes() == (tmp_path / "plain/test.json").read_bytes()

    found = MindDataset(str(tmp_path / "packed/test.mindrecord"), columns_list=list(COLUMNS), shuffle=False)
    in_rows = []
    for ids, labels in found.create_tuple_iterator(num_epochs=1, output_numpy=True):
        assert ids.shape == labels.shape == (321,) and ids.dtype == labels.dtype == np.int32
        starts = np.flatnonzero(ids == codec.bos_id).tolist()
        end = int(np.flatnonzero(ids)[-1]) + 1
        assert starts[0] == 0 and (labels[end:] == IGNORED_LABEL).all()
        assert (labels[starts] == IGNORED_LABEL).all()  # no record predicts the next one's BOS
        for start, stop in zip(starts, [*starts[1:], end], strict=True):
            assert ids[stop - 1] == codec.eos_id
            in_rows.append((ids[start:stop].tolist(), labels[start:stop].tolist()))
    talks = read_conversations(tmp_path / "packed/test.json")
    assert sorted(in_rows) == sorted(encode_conversation(codec, talk, loss_on_prompt) for talk in talks)
