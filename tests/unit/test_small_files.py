"""Small files are read with limits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scimind.small_files import MOST_LEVELS, SmallFileError, parse_small_json, read_small, read_small_json


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": [1, {"b": "ö"}]}', encoding="utf-8")
    assert read_small(file, most_bytes=file.stat().st_size) == file.read_bytes()
    assert read_small_json(file) == {"a": [1, {"b": "ö"}]}


def test_a_larger_file_a_folder_a_device_and_a_pipe_are_not_read(tmp_path: Path) -> None:
    large, pipe = tmp_path / "large", tmp_path / "pipe"
    large.write_bytes(b"x" * 1025)
    os.mkfifo(pipe)
    for path, reason in ((tmp_path, "a folder"), (pipe, "a device or a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(SmallFileError, match=reason):
            read_small(path)
    with pytest.raises(SmallFileError, match="is larger"):
        read_small(large, most_bytes=1024)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("5", "is not a JSON object"),
        (b"\xff", "is not JSON"),
        ('{"a": ' + "7" * 6000 + "}", "is not JSON"),
        ('{"a": ' + "[" * 200_000, "nested deeper"),
        ('{"a": ' + "[" * MOST_LEVELS + "]" * MOST_LEVELS + "}", "nested deeper"),
    ],
)
def test_what_is_not_a_small_object_has_a_reason(text: str | bytes, reason: str) -> None:
    with pytest.raises(SmallFileError, match=reason):
        parse_small_json(text)


def test_the_deepest_object() -> None:
    deepest = MOST_LEVELS - 1
    assert list(parse_small_json('{"a": ' + "[" * deepest + "]" * deepest + "}")) == ["a"]
