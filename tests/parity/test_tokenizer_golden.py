"""The ids of the original tokenizer: its 98 tokens after the Llama-2 vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scimind.tokenizer import TokenCodec, codec
from tests.support.shared import shared_file


@pytest.fixture(scope="module")
def golden() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(shared_file("golden/tokenizer_dev.json").read_text(encoding="utf-8"))
    assert len(cases) == 48
    return cases


@pytest.fixture(scope="module")
def llama2() -> Path:
    return shared_file("data/models/llama2_tokenizer.model")


@pytest.mark.parametrize("extension", [False, True])
def test_ids_equal_the_originals(golden: list[dict[str, Any]], llama2: Path, extension: bool) -> None:
    tokenizer = TokenCodec(llama2, extension=extension)
    assert tokenizer.vocab_size == 32098 + 7 * extension
    for case in golden:
        assert tokenizer.encode(case["text"]) == case["ids"]
        assert tokenizer.encode_with_offsets(case["text"]).ids == case["ids"]


def test_decoding_and_encoding_again_returns_them(golden: list[dict[str, Any]], llama2: Path) -> None:
    tokenizer = TokenCodec(llama2, extension=False)
    for case in golden:
        assert tokenizer.encode(tokenizer.decode(case["ids"], tags=True)) == case["ids"]


def test_the_mindformers_tokenizer_gives_them_too(golden: list[dict[str, Any]], llama2: Path) -> None:
    pytest.importorskip("mindformers", reason="MindFormers is not installed")
    from scimind.tokenizer.tokenizer import SciMindTokenizer

    tokenizer = SciMindTokenizer(llama2, extension=False)
    for case in golden:
        assert tokenizer(case["text"])["input_ids"] == case["ids"]


def test_two_swapped_characters_are_noticed(
    golden: list[dict[str, Any]], llama2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(extension: bool) -> list[tuple[str, str]]:
        first, second, *rest = original(extension)
        return [second, first, *rest]

    original = codec.added_tokens
    monkeypatch.setattr(codec, "added_tokens", swapped)
    tokenizer = TokenCodec(llama2, extension=False)
    assert any(tokenizer.encode(case["text"]) != case["ids"] for case in golden)


def test_kept_white_space_is_noticed(
    golden: list[dict[str, Any]], llama2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = codec.segmentation._PieceBuilder.take
    monkeypatch.setattr(
        codec.segmentation._PieceBuilder,
        "take",
        lambda self, stop, *, left, right: take(self, stop, left=False, right=False),
    )
    tokenizer = TokenCodec(llama2, extension=False)
    assert any(tokenizer.encode(case["text"]) != case["ids"] for case in golden)
