"""Reading MindSpore's files by their index: types are kept, parts joined and damage reported."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from scimind.checkpoint.formats.mindspore_file import read_index
from scimind.errors import CheckpointError
from tests.unit.checkpoint.formats.conftest import values


@pytest.mark.parametrize("checked", [False, True])
def test_mindspore_files_are_read_as_mindspore_reads_them(tmp_path: Path, checked: bool) -> None:
    entries = [{"name": name, "data": ms.Tensor(value)} for name, value in values().items()]
    words = np.array([1.5, -2.0], np.float32)
    entries += [{"name": "half", "data": ms.Tensor(words).astype(ms.bfloat16)}, {"name": "one", "data": ms.Tensor(3.0)}]
    ms.save_checkpoint(entries, str(tmp_path / "x.ckpt"), append_dict={"note": "text"}, crc_check=checked)
    read = read_index(tmp_path / "x.ckpt")
    assert set(read) == {*values(), "half", "one"}
    for name, value in values().items():
        np.testing.assert_array_equal(read[name].values(), value)
    assert read["half"].dtype == "BF16"
    np.testing.assert_array_equal(read["half"].numbers(), words)
    assert float(read["one"].numbers()) == 3.0


def test_a_tensor_in_several_values_is_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mindspore.train.serialization.SLICE_SIZE", 1)  # KiB; the default needs a file of a gigabyte
    value = np.random.default_rng(0).random((700, 3)).astype(np.float32)
    ms.save_checkpoint([{"name": "a", "data": ms.Tensor(value)}], str(tmp_path / "x.ckpt"))
    read = read_index(tmp_path / "x.ckpt")["a"]
    assert len(read.spans) > 2
    np.testing.assert_array_equal(read.values(), value)
    np.testing.assert_array_equal(read.words(100, 500).view(np.float32), value[100:500])


def test_damaged_files_are_reported(tmp_path: Path) -> None:
    entries = [{"name": name, "data": ms.Tensor(value)} for name, value in values().items()]
    ms.save_checkpoint(entries, str(tmp_path / "x.ckpt"), crc_check=True)
    whole = (tmp_path / "x.ckpt").read_bytes()
    for content, message in (
        (whole[:-30], "cannot be read as a checkpoint"),
        (whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], "its checksum differs"),
        (b"", "it holds no tensors"),
        (b"hello", "cannot be read as a checkpoint"),
    ):
        (tmp_path / "y.ckpt").write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_index(tmp_path / "y.ckpt")
