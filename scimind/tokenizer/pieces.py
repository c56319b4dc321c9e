"""The SentencePiece part of the vocabulary: converts plain text to ids, with the position of each, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from scimind.errors import SciMindError, TokenError
from scimind.small_files import SmallFileError, read_small
from scimind.tokenizer.words import WordCache, allows_words

UNK_ID, BOS_ID, EOS_ID = 0, 1, 2
LARGEST_MODEL = 64 * 1024 * 1024  # bytes; published ones have up to 5 MB
_SURROGATE = re.compile("[\ud800-\udfff]")


class TextPieces:
    """A SentencePiece vocabulary with Llama's conventions: unk 0, bos 1, eos 2, byte fallback, no normalisation.

    Args:
        model_file: The `.model` file.

    Raises:
        SciMindError: The file is missing, is not a SentencePiece model, or breaks those conventions.
    """

    def __init__(self, model_file: Path) -> None:
        try:
            self.model = read_small(model_file, LARGEST_MODEL)
        except (OSError, SmallFileError) as error:
            reason = getattr(error, "strerror", None) or error
            raise SciMindError(f"tokenizer model {model_file}: {reason}; give a SentencePiece .model file") from error
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=self.model)
            specials = (self._processor.unk_id(), self._processor.bos_id(), self._processor.eos_id())
            size = self._processor.get_piece_size()
            by_words = allows_words(self._processor, self.model)
        except (RuntimeError, ValueError, OverflowError) as error:  # a piece is not UTF-8, a score is not finite
            reason = f"tokenizer model {model_file} is not a SentencePiece model; give a .model file"
            raise SciMindError(reason) from error
        if size == 0 or specials != (UNK_ID, BOS_ID, EOS_ID):
            raise SciMindError(f"tokenizer model {model_file} must have unk, bos, eos at 0, 1, 2, not {specials}")
        if self._processor.piece_to_id("<0x00>") == UNK_ID:
            raise SciMindError(f"tokenizer model {model_file} has no byte fallback; train it with byte_fallback")
        self.size: int = size
        self._words = WordCache(self._processor) if by_words else None

    def encode(self, text: str, starts: Sequence[int] | None = None) -> list[int]:
        """Returns the ids of plain text, to which SentencePiece adds a leading `▁`; an empty text has no ids.

        Args:
            text: Any characters that can be encoded in UTF-8.
            starts: Position of each character in the user's text, for errors; None if that is `text` itself.

        Raises:
            TokenError: There is a lone surrogate, which cannot be encoded in UTF-8.
        """
        try:
            found_ids = None if self._words is None else self._words.encode(text)
            ids: list[int] = self._processor.encode(text) if found_ids is None else found_ids
        except (RuntimeError, UnicodeEncodeError) as error:
            found = _SURROGATE.search(text)
            if found is None:
                raise
            where = found.start() if starts is None else starts[found.start()]
            reason = f"character {found[0]!r} at position {where} is half a surrogate pair; read the file as UTF-8"
            raise TokenError(reason, found[0], where) from error
        return ids

    def spans(self, text: str, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Returns the (start, stop) of each id of `encode(text)`, in characters of `text`.

        A separate leading `▁` spans (0, 0). Each byte of a character that is missing from the vocabulary spans that
        character.

        Raises:
            SciMindError: The model normalises its text, so that its pieces do not spell the text.
        """
        spans: list[tuple[int, int]] = []
        position, bytes_left = -1, 0  # The ▁ that SentencePiece puts in front is at -1.
        for index in ids:
            if self._processor.is_byte(index) and position < len(text):
                position = max(position, 0)
                bytes_left = (bytes_left or len(text[position].encode())) - 1
                spans.append((position, position + 1))
                position += not bytes_left
            else:
                stop = position + len(self._processor.id_to_piece(index))
                spans.append((max(position, 0), max(stop, 0)))
                position = stop
        if position != len(text):
            raise SciMindError("the tokenizer model normalises its text, so offsets are unknown; use the identity rule")
        return spans

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids below `size`, without the leading `▁`; bytes that are not UTF-8 become U+FFFD."""
        text: str = self._processor.decode(list(ids)) if ids else ""
        return text

    def piece(self, index: int) -> str:
        """Returns the piece of an id below `size`."""
        name: str = self._processor.id_to_piece(index)
        return name

    def find(self, piece: str) -> int:
        """Returns the id of a piece, `UNK_ID` if there is none."""
        index: int = self._processor.piece_to_id(piece)
        return index
