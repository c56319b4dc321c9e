"""Files of weights read by their headers: types kept, pieces joined, damage told."""

from __future__ import annotations

import struct
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from scimind.checkpoint.formats.mindspore_file import read_index
from scimind.checkpoint.formats.safetensors_file import checksum, read_header, write_file
from scimind.checkpoint.formats.tensors import NewTensor, StoredTensor, bytes_of, from_float32, to_float32
from scimind.errors import CheckpointError


def values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "a": random.random((5, 3)).astype(np.float32),
        "b": random.random((4,)).astype(np.float16),
        "c": np.arange(6, dtype=np.int64).reshape(1, 2, 3),
    }


def write(file: Path, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    kinds = {"float32": "F32", "float16": "F16", "int64": "I64"}
    tensors = [
        NewTensor(name, kinds[str(value.dtype)], value.shape, [bytes_of(value)]) for name, value in arrays.items()
    ]
    return write_file(file, tensors, {"format": "pt"}, lambda tensor: None)


def test_safetensors_are_those_of_the_library(tmp_path: Path) -> None:
    sums = write(tmp_path / "ours.safetensors", values())
    theirs = load_file(tmp_path / "ours.safetensors")
    save_file(values(), tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    read = read_header(tmp_path / "theirs.safetensors")
    for name, value in values().items():
        np.testing.assert_array_equal(theirs[name], value)
        np.testing.assert_array_equal(read[name].values(), value)
        assert checksum(read[name]) == sums[name]
    assert [path.name for path in tmp_path.glob(".*")] == []


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
    monkeypatch.setattr("mindspore.train.serialization.SLICE_SIZE", 1)  # KiB; else a gigabyte would have to be written
    value = np.random.default_rng(0).random((700, 3)).astype(np.float32)
    ms.save_checkpoint([{"name": "a", "data": ms.Tensor(value)}], str(tmp_path / "x.ckpt"))
    read = read_index(tmp_path / "x.ckpt")["a"]
    assert len(read.spans) > 2
    np.testing.assert_array_equal(read.values(), value)
    np.testing.assert_array_equal(read.words(100, 500).view(np.float32), value[100:500])


def test_damaged_files_are_told(tmp_path: Path) -> None:
    write(tmp_path / "x.safetensors", values())
    whole = (tmp_path / "x.safetensors").read_bytes()
    for content, message in (
        (whole[:-1], "ends within c"),
        (whole[:4], "it is cut"),
        (b"\x08" + bytes(7) + b"not json", "cannot be read as a checkpoint"),
        (whole.replace(b"[5,3]", b"[5,4]"), r"a has 60 bytes, F32 \[5, 4\] needs 80"),
    ):
        (tmp_path / "y.safetensors").write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_header(tmp_path / "y.safetensors")
    entries = [{"name": name, "data": ms.Tensor(value)} for name, value in values().items()]
    ms.save_checkpoint(entries, str(tmp_path / "x.ckpt"), crc_check=True)
    whole = (tmp_path / "x.ckpt").read_bytes()
    for content, message in (
        (whole[:-30], "cannot be read as a checkpoint"),
        (whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], "its checksum differs"),
        (b"", "it holds no tensor"),
        (b"hello", "cannot be read as a checkpoint"),
    ):
        (tmp_path / "y.ckpt").write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_index(tmp_path / "y.ckpt")


def test_bfloat16_is_rounded_to_the_nearest_and_to_even() -> None:
    words = np.arange(1 << 16, dtype=np.uint16)
    finite = words[np.isfinite(to_float32(words, "BF16"))]
    np.testing.assert_array_equal(from_float32(to_float32(finite, "BF16"), "BF16"), finite)
    one, next_one = 0x3F80, 0x3F81
    for bits, expected in (
        (0x3F808000, one),  # a tie goes to the even word
        (0x3F818000, 0x3F82),
        (0x3F808001, next_one),
        (0x3F807FFF, one),
    ):
        number = np.array([struct.unpack("<f", struct.pack("<I", bits))[0]], np.float32)
        assert from_float32(number, "BF16")[0] == expected


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(8))
    with pytest.raises(CheckpointError, match="ends within a"):
        StoredTensor("a", "F32", (4,), tmp_path / "x", ((0, 16),)).words()
