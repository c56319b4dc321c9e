"""safetensors against the library of that name, and reports of damage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from scimind.checkpoint.formats.safetensors_file import checksum, read_header, write_file
from scimind.checkpoint.formats.tensors import NewTensor, bytes_of
from scimind.errors import CheckpointError
from tests.unit.checkpoint.formats.conftest import values


def write(file: Path, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    kinds = {"float32": "F32", "float16": "F16", "int64": "I64"}
    tensors = [
        NewTensor(name, kinds[str(value.dtype)], value.shape, [bytes_of(value)]) for name, value in arrays.items()
    ]
    return write_file(file, tensors, {"format": "pt"}, lambda tensor: None)


def test_safetensors_equal_those_of_the_library(tmp_path: Path) -> None:
    sums = write(tmp_path / "ours.safetensors", values())
    theirs = load_file(tmp_path / "ours.safetensors")
    save_file(values(), tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    read = read_header(tmp_path / "theirs.safetensors")
    for name, value in values().items():
        np.testing.assert_array_equal(theirs[name], value)
        np.testing.assert_array_equal(read[name].values(), value)
        assert checksum(read[name]) == sums[name]
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_damaged_files_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "x.safetensors", values())
    whole = (tmp_path / "x.safetensors").read_bytes()
    for content, message in (
        (whole[:-1], "ends within c"),
        (whole[:4], "it is truncated"),
        (b"\x08" + bytes(7) + b"not json", "cannot be read as a checkpoint"),
        (whole.replace(b"[5,3]", b"[5,4]"), r"a has 60 bytes, F32 \[5, 4\] needs 80"),
        (whole.replace(b"[5,3]", b"[-5,-3]"), "a has an impossible shape"),
        (whole.replace(b"[5,3]", b"[5.0,3]"), "a has an impossible shape"),
        (whole.replace(b'"b"', b'"a"'), "60 bytes before a belong to no tensor"),
        (whole + b"\0", "1 bytes at its end belong to no tensor"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "nested deeper than 50 levels"),
    ):
        (tmp_path / "y.safetensors").write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_header(tmp_path / "y.safetensors")


@pytest.mark.parametrize("name", ["b", "adam_m.x", "inv_freq"])
def test_tensors_that_share_bytes_are_reported(tmp_path: Path, name: str) -> None:
    header = {
        "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
        name: {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
    }
    text = json.dumps(header).encode()
    file = tmp_path / "x.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(24))
    with pytest.raises(SafetensorError):
        load_file(file)
    with pytest.raises(CheckpointError, match=f"{name} overlaps a"):
        read_header(file)
