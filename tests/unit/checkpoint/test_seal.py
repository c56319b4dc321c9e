"""Damage to any of a checkpoint's files is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scimind.checkpoint.seal import SEAL, check_loaded, fault_of_folder, seal_folder
from scimind.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.ckpt").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "scimind.json").write_text('{"a": 1}')
    seal_folder(tmp_path)
    return tmp_path


def flip(file: Path, position: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << bit
    file.write_bytes(content)


def test_an_untouched_folder_is_good(folder: Path) -> None:
    assert fault_of_folder(folder) is None
    (folder / "notes.txt").write_text("put there by someone")
    assert fault_of_folder(folder) is None


def test_a_truncated_file_and_a_flipped_bit_are_found(folder: Path) -> None:
    content = (folder / "model.ckpt").read_bytes()
    (folder / "model.ckpt").write_bytes(content[: len(content) // 2])
    assert fault_of_folder(folder) == "model.ckpt has 5,120 bytes, 10,240 were written"
    assert fault_of_folder(folder, {"scimind.json"}) is None
    (folder / "model.ckpt").write_bytes(content)
    assert fault_of_folder(folder) is None
    flip(folder / "model.ckpt", 7777, bit=5)
    assert fault_of_folder(folder) == "model.ckpt has changed since it was written"
    (folder / "model.ckpt").unlink()
    assert fault_of_folder(folder) == "model.ckpt is missing"


def test_a_flipped_bit_of_the_seal_is_found(folder: Path) -> None:
    text = (folder / SEAL).read_text()
    for position, character in enumerate(text):
        if character.isspace():
            continue
        flip(folder / SEAL, position)
        assert fault_of_folder(folder), (position, character)
        (folder / SEAL).write_text(text)
    (folder / SEAL).unlink()
    assert fault_of_folder(folder) == f"{SEAL} is missing"


@pytest.mark.parametrize("name", ["model.ckpt", "scimind.json"])
def test_a_seal_must_name_what_is_loaded(folder: Path, name: str) -> None:
    sums = json.loads((folder / SEAL).read_text())
    check_loaded([folder / "model.ckpt"])
    for content in ({}, {"other.ckpt": sums[name]}, {key: value for key, value in sums.items() if key != name}):
        (folder / SEAL).write_text(json.dumps(content))
        with pytest.raises(CheckpointError, match=f"{SEAL} does not name .*; use another checkpoint, or remove"):
            check_loaded([folder / "model.ckpt"])
        fault = fault_of_folder(folder)
        assert fault is not None and "does not name" in fault
    (folder / SEAL).write_text(json.dumps({f"../{folder.name}/{key}": value for key, value in sums.items()}))
    with pytest.raises(CheckpointError, match="does not name model.ckpt"):
        check_loaded([folder / "model.ckpt"])


def test_a_checkpoint_without_a_seal_is_loaded(folder: Path) -> None:
    (folder / SEAL).unlink()
    flip(folder / "model.ckpt", 7)
    check_loaded([folder / "model.ckpt"])


def test_a_changed_description_or_weight_is_not_loaded(folder: Path) -> None:
    (folder / "scimind.json").write_text('{"a": 2}')
    with pytest.raises(CheckpointError, match="scimind.json has changed since it was written"):
        check_loaded([folder / "model.ckpt"])
    (folder / "scimind.json").write_text('{"a": 1}')
    flip(folder / "model.ckpt", 7)
    with pytest.raises(CheckpointError, match="or add --changed-weights if the change is intended"):
        check_loaded([folder / "model.ckpt"], advice="add --changed-weights")


@pytest.mark.parametrize(
    "entry",
    [None, 5, [], {}, {"bytes": None, "crc32": "0"}, {"bytes": "x", "crc32": "0"}, {"bytes": 1e999, "crc32": "0"}],
)
def test_a_seal_of_another_form_cannot_be_read(tmp_path: Path, entry: Any) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"abc")
    (tmp_path / SEAL).write_text(json.dumps({"model.ckpt": entry}))
    assert fault_of_folder(tmp_path) == f"{SEAL} cannot be read"


def test_a_seal_of_impossible_names_reports_a_missing_file(tmp_path: Path) -> None:
    for name in ("m" * 5000, "a\0b"):
        (tmp_path / SEAL).write_text(json.dumps({name: {"bytes": 1, "crc32": "0"}}))
        fault = fault_of_folder(tmp_path)
        assert fault is not None and fault.endswith(" is missing") and len(fault) < 200
