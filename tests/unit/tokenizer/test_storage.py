from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scimind.errors import CheckpointError, SciMindError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.codec import BUILT_IN_MODEL


@pytest.mark.parametrize("extension", [True, False])
def test_a_saved_codec_comes_back(tmp_path: Path, extension: bool) -> None:
    codec = TokenCodec(extension=extension)
    codec.save(tmp_path / "new" / "folder")
    loaded = TokenCodec.load(tmp_path / "new" / "folder")
    assert loaded.extension is extension
    assert loaded.fingerprint() == codec.fingerprint() and len(loaded.fingerprint()) == 12
    assert loaded.modality_ranges == codec.modality_ranges
    settings = json.loads((tmp_path / "new" / "folder" / "scimind_tokenizer.json").read_text())
    assert settings["version"] == 1 and settings["base_size"] == codec.base_size and len(settings["sha256"]) == 64


def test_saving_twice_into_the_folder_it_came_from(tmp_path: Path) -> None:
    TokenCodec().save(tmp_path)
    TokenCodec.load(tmp_path).save(tmp_path)
    assert (tmp_path / "tokenizer.model").read_bytes() == BUILT_IN_MODEL.read_bytes()


def test_fingerprints_differ() -> None:
    assert TokenCodec(extension=True).fingerprint() != TokenCodec(extension=False).fingerprint()


def test_another_model_is_noticed(tmp_path: Path) -> None:
    TokenCodec().save(tmp_path)
    model = tmp_path / "tokenizer.model"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="copy both files together"):
        TokenCodec.load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "version None"),
        ('{"version": 9}', r"version 9, not 1"),
        ('{"version": 1, "sha256": "00"}', "must have extension"),
        ('{"version": 1, "extension": "yes", "sha256": "00"}', "must have extension"),
    ],
)
def test_broken_settings(tmp_path: Path, settings: str, message: str) -> None:
    TokenCodec().save(tmp_path)
    (tmp_path / "scimind_tokenizer.json").write_text(settings)
    with pytest.raises(SciMindError, match=message) as caught:
        TokenCodec.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["tokenizer.model", "scimind_tokenizer.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    TokenCodec().save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(SciMindError, match=name):
        TokenCodec.load(tmp_path)
    with pytest.raises(SciMindError, match="nowhere"):
        TokenCodec.load(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SciMindError, match="choose another folder"):
        TokenCodec().save(tmp_path / "file" / "below")
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(SciMindError, match="choose another folder"):
            TokenCodec().save(tmp_path / "closed")
