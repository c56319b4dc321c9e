"""Tokens of captions: SciBERT's WordPieces, or words if no vocabulary is given."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from nltk.tokenize import wordpunct_tokenize
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from scimind.errors import DataError

Tokenize = Callable[[str], list[str]]

LONGEST = 512
_SPECIAL = ("[PAD]", "[CLS]", "[SEP]")


@lru_cache(maxsize=1)
def load_wordpieces(vocabulary: str) -> Tokenizer:
    """Returns the lower-casing tokenizer of a BERT vocabulary, loaded once per process.

    Raises:
        DataError: The file is missing or is not a vocabulary of WordPieces.
    """
    path = Path(vocabulary)
    try:
        pieces = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cannot be read; give the vocab.txt of a BERT model", path) from error
    if not {"[UNK]", "[CLS]", "[SEP]"} <= set(pieces):
        raise DataError("lacks [UNK], [CLS] or [SEP]; give the vocab.txt of a BERT model, one piece per line", path)
    tokenizer = Tokenizer(WordPiece.from_file(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens([piece for piece in ("[UNK]", *_SPECIAL) if piece in pieces])
    return tokenizer


def tokenizer_of(vocabulary: str | None) -> Tokenize:
    """Returns a function that turns a text into tokens, without a limit on their number.

    Args:
        vocabulary: A BERT vocabulary; None for lower-cased words and runs of punctuation.
    """
    if vocabulary is None:
        return lambda text: list(wordpunct_tokenize(text.lower()))
    pieces = load_wordpieces(vocabulary)
    return lambda text: list(pieces.encode(text, add_special_tokens=False).tokens)


def cut(tokens: list[str]) -> list[str]:
    """Returns the first 512 tokens without the special ones among them, as the published scripts do."""
    return [token for token in tokens[:LONGEST] if token not in _SPECIAL]
