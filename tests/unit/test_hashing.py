"""Digests that are the same on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.hashing import digest, file_checksum


def test_a_files_checksum_is_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")  # the example of FIPS 180
    assert file_checksum(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"\0" * (2**20 + 1))  # more than is read at a time
    assert file_checksum(path) == "2cb74edba754a81d121c9db6833704a8e7d417e5b13d1a19f4a52f007d644264"
    with pytest.raises(FileNotFoundError):
        file_checksum(tmp_path / "none")


def test_a_digest_depends_on_the_text_alone() -> None:
    assert digest("") == digest("") != digest("a") and 0 <= digest("\ud800") < 2**64
