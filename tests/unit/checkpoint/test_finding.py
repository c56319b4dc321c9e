"""What a checkpoint's description may contain."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.checkpoint.finding import find_checkpoint
from scimind.checkpoint.seal import fault_of_folder
from scimind.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"checksums": 5}', r"scimind.json: checksums \(5\) is not an object; copy the checkpoint again"),
        ('{"routing": ["modality"]}', "routing .* is not an object"),
        ("[1]", "cannot be read .is not a JSON object"),
        ("[" * 100_000, "nested deeper than 50 levels"),
    ],
)
def test_a_description_of_the_wrong_kind_is_reported(folder: Path, text: str, message: str) -> None:
    (folder / "scimind.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        find_checkpoint(folder)


def test_a_description_is_read(folder: Path) -> None:
    (folder / "scimind.json").write_text('{"checksums": null, "routing": {"router": "modality"}}')
    assert find_checkpoint(folder).description["routing"] == {"router": "modality"}


def test_a_seal_that_is_nested_deeply_cannot_be_read(folder: Path) -> None:
    (folder / "checksums.json").write_text("[" * 100_000)
    assert fault_of_folder(folder) == "checksums.json cannot be read"
