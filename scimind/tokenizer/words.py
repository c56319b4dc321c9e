"""Caches the ids of words, so that SentencePiece encodes each word once instead of each text.

A text can be encoded word by word if nothing crosses the space between two words: no piece of the vocabulary does, the
text is not normalised, and scores are whole numbers, so that their sums are exact in any grouping. This is true of
Llama's vocabularies, since byte-pair merges are ranked 0, -1, -2 and so on.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

from scimind.protobuf import fields

_SPACE = "▁"  # how SentencePiece writes a space
_CROSSING = re.compile(f"[^{_SPACE}]{_SPACE}")
_MOST_WORDS = 1 << 16
_LONGEST_WORD = 48

# Field numbers of SentencePiece's ModelProto and of its NormalizerSpec.
_NORMALIZER_SPEC = 3
_CHARACTER_MAP, _ADD_DUMMY_PREFIX, _REMOVE_EXTRA_WHITESPACES, _ESCAPE_WHITESPACES = 2, 3, 4, 5


class WordCache:
    """Encodes plain text word by word with a bounded cache of words.

    Args:
        processor: The SentencePiece vocabulary, for which `allows_words` is true.
    """

    def __init__(self, processor: Any) -> None:
        self._ids = _WordIds(processor)

    def encode(self, text: str) -> list[int] | None:
        """Returns the ids of a text, None if it does not consist of words separated by single spaces.

        Raises:
            RuntimeError: A word has a character that cannot be encoded in UTF-8.
        """
        if not text:
            return []
        if "  " in text or _SPACE in text:
            return None
        words = text.split(" ")
        if text[0] == " ":  # SentencePiece puts a space before the first word, in addition to this one
            del words[0]
            words[0] = " " + words[0]
        return list(chain.from_iterable(map(self._ids.__getitem__, words)))


class _WordIds(dict[str, Sequence[int]]):
    """Maps words to ids; a missing word is encoded. The first word of a text keeps its space, the others have none.

    A copy in another process starts empty.
    """

    def __init__(self, processor: Any) -> None:
        super().__init__()
        self._processor = processor

    def __missing__(self, word: str) -> Sequence[int]:
        # The empty word is a space at the end of a text.
        ids = tuple(self._processor.encode(word)) if word else (self._processor.piece_to_id(_SPACE),)
        if len(word) <= _LONGEST_WORD:
            if len(self) >= _MOST_WORDS:
                self.clear()
            self[word] = ids
        return ids

    def __reduce__(self) -> tuple[Any, ...]:
        return _WordIds, (self._processor,)


def allows_words(processor: Any, model: bytes) -> bool:
    """Returns whether texts may be encoded word by word.

    Args:
        processor: The SentencePiece vocabulary.
        model: What its file holds.
    """
    numbers = list(range(processor.get_piece_size()))
    pieces: list[str] = processor.id_to_piece(numbers)
    return (
        _keeps_text(model)
        and processor.id_to_piece(processor.encode("a"))[0][0] == _SPACE  # not a suffix
        and _SPACE in pieces
        and not any(_CROSSING.search(piece) for piece in pieces)
        and all(score == int(score) for score in processor.get_score(numbers))
    )


def _keeps_text(model: bytes) -> bool:
    """Returns whether the model adds a space in front of a text and changes nothing else."""
    # SentencePiece treats a switch that is not given as on.
    switches = {_ADD_DUMMY_PREFIX: True, _REMOVE_EXTRA_WHITESPACES: True, _ESCAPE_WHITESPACES: True}
    character_map = False
    stream = io.BytesIO(model)
    for number, start, stop in fields(stream, 0, len(model)):
        if number != _NORMALIZER_SPEC:
            continue
        for inner, first, last in fields(stream, start, stop):
            if inner in switches and last < 0:
                switches[inner] = bool(first)
            elif inner == _CHARACTER_MAP:
                character_map = character_map or last > first
    keeps_spaces = switches == {_ADD_DUMMY_PREFIX: True, _REMOVE_EXTRA_WHITESPACES: False, _ESCAPE_WHITESPACES: True}
    return keeps_spaces and not character_map
