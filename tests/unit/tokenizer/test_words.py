"""Texts encoded word by word have the ids that SentencePiece gives for the whole text."""

from __future__ import annotations

import io
import pickle
import random
from pathlib import Path

import pytest
import sentencepiece

from scimind.tokenizer import words
from scimind.tokenizer.codec import BUILT_IN_MODEL
from scimind.tokenizer.words import WordCache, allows_words
from tests.support.shared import shared_file

SCRAPS = [
    "the",
    "molecule",
    " ",
    "  ",
    ".",
    "x",
    "é",
    "🧪",
    "\n",
    "\t",
    "12",
    "▁",
    "-",
    "(",
    "\0",
    "\u00a0",
    "<s>",
    " a",
]


def vocabulary(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def trained(**settings: object) -> bytes:
    model = io.BytesIO()
    defaults = {"model_type": "bpe", "vocab_size": 300, "byte_fallback": True, "minloglevel": 2}
    ours = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    lines = iter(["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs"] * 20)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=model, **{**defaults, **ours, **settings}
    )
    return model.getvalue()


def random_texts(count: int) -> list[str]:
    draw = random.Random(3)
    return ["".join(draw.choices(SCRAPS, k=draw.randint(0, 8))) for _ in range(count)]


def checked(processor: sentencepiece.SentencePieceProcessor, cache: WordCache, texts: list[str]) -> int:
    """Compares texts encoded word by word with SentencePiece; returns how many there were."""
    count = 0
    for text in texts:
        found = cache.encode(text)
        if found is not None:
            assert found == processor.encode(text), text
            count += 1
    return count


@pytest.mark.parametrize("name", ["small", "llama2"])
def test_ids_are_those_of_the_whole_text(name: str) -> None:
    path = BUILT_IN_MODEL if name == "small" else shared_file("data/models/llama2_tokenizer.model")
    model = Path(path).read_bytes()
    processor = vocabulary(model)
    assert allows_words(processor, model)
    assert checked(processor, WordCache(processor), random_texts(20_000)) > 10_000


def test_a_full_cache_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_MOST_WORDS", 3)
    processor = vocabulary(BUILT_IN_MODEL.read_bytes())
    cache = WordCache(processor)
    assert checked(processor, cache, random_texts(2000)) > 1000
    assert len(cache._ids) <= 3


def test_a_copy_is_empty_and_gives_the_same() -> None:
    cache = WordCache(vocabulary(BUILT_IN_MODEL.read_bytes()))
    ids = cache.encode("the molecule is an acid ")
    copy = pickle.loads(pickle.dumps(cache))
    assert not copy._ids
    assert copy.encode("the molecule is an acid ") == ids


@pytest.mark.parametrize(
    "settings",
    [
        {"normalization_rule_name": "nfkc"},
        {"remove_extra_whitespaces": True},
        {"add_dummy_prefix": False},
        {"treat_whitespace_as_suffix": True},
        {"split_by_whitespace": False, "vocab_size": 330},
        {"model_type": "unigram", "vocab_size": 290},
    ],
    ids=str,
)
def test_vocabularies_that_cross_spaces_are_not_encoded_word_by_word(settings: dict[str, object]) -> None:
    plain, other = trained(), trained(**settings)
    assert allows_words(vocabulary(plain), plain)
    assert not allows_words(vocabulary(other), other)


def test_a_piece_across_a_space_would_be_noticed() -> None:
    """The counter-example: word by word, such a vocabulary gives other ids."""
    processor = vocabulary(trained(split_by_whitespace=False, vocab_size=330))
    with pytest.raises(AssertionError):
        checked(processor, WordCache(processor), ["the quick brown fox jumps over the lazy dog"])
