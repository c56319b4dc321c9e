"""Small files and the built-in vocabulary for the data tests."""

import json
from pathlib import Path

import pytest

from scimind.tokenizer import TokenCodec
from tests.support.shared import ROOT


@pytest.fixture(scope="session")
def codec() -> TokenCodec:
    return TokenCodec()


@pytest.fixture(scope="session")
def sample() -> Path:
    """The folder of the shipped sample."""
    return ROOT / "LPM-24-data"


@pytest.fixture
def write(tmp_path):
    """Writes a file of text, bytes or JSON values and returns its path."""

    def make(name: str, content: object) -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8", newline="")
        else:
            path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return make
