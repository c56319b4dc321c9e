r"""A text cut into plain pieces, which SentencePiece encodes, and runs of single-character tokens.

What cuts a text are its marks: an added token's form (`{|C|}`), an opening tag (`<smiles>`) and a closing tag
(`</smiles>`). White space beside a mark is dropped, as the published tokenizer does.

Escapes: a backslash right before a mark makes the mark plain text, and a backslash that is meant there itself is
doubled. So of n backslashes right before a mark ⌊n / 2⌋ stay as text, and an odd n escapes the mark. A backslash
anywhere else means itself, also between two tags, where it is a character of SMILES.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from scimind.errors import TokenError
from scimind.tokenizer.alphabet import TAG_MODALITIES, added_tokens, token_form

_TAG_PATTERN = rf"</?(?:{'|'.join(TAG_MODALITIES)})>"
_FORM_PATTERN = "|".join(re.escape(token_form(*token)) for token in added_tokens(extension=True))
_TAG = re.compile(_TAG_PATTERN)
# The look-behind lets a run of backslashes be tried at its first one only, which keeps the search linear.
_MARK = re.compile(rf"(?<!\\)(\\*)({_FORM_PATTERN}|{_TAG_PATTERN})")


@dataclass(frozen=True)
class TextPiece:
    """Plain text between two marks, with escapes removed.

    Args:
        text: The characters, never empty.
        bounds: One more than there are characters: character i stands at [bounds[i], bounds[i + 1]) of the given text,
            where an escaping backslash belongs to the character behind it.
    """

    text: str
    bounds: Sequence[int]


@dataclass(frozen=True)
class TokenRun:
    """Characters that are tokens of their own.

    Args:
        tag: The tag that holds them, or None for an added token's form.
        characters: The characters of a tag, or one form.
        start: Where the first one stands in the given text.
    """

    tag: str | None
    characters: str
    start: int


def escape(text: str) -> str:
    r"""Returns `text` with a backslash before each mark, so that it encodes as the plain text that it is.

    The forms of the extension count as marks for every tokenizer. Backslashes that stand before a mark are doubled.
    """
    return _MARK.sub(lambda match: rf"{match[1] * 2}\{match[2]}", text)


def segment(text: str, forms: Container[str]) -> Iterator[TextPiece | TokenRun]:
    """Yields the pieces and runs of `text` in order; pieces are stripped beside a run, and empty ones left out.

    Args:
        text: Any text.
        forms: The added tokens that the vocabulary has; a form that it lacks is plain text.

    Raises:
        TokenError: A tag that is empty, not closed, not opened, or that holds another tag.
    """
    piece = _PieceBuilder()
    position, after_run = 0, False
    while match := _MARK.search(text, position):
        slashes, mark = len(match[1]), match[2]
        piece.add(text[position : match.start()], range(position, match.start()))
        piece.add("\\" * (slashes // 2), range(match.start(), match.start() + slashes // 2 * 2, 2))
        position = match.end()
        if slashes % 2 or (mark not in forms and not _TAG.fullmatch(mark)):
            starts = range(match.start(2), position)
            piece.add(mark, [starts[0] - slashes % 2, *starts[1:]])
            continue
        run, position = (
            (TokenRun(None, mark, match.start(2)), position) if mark in forms else _read_tag(text, mark, match.start(2))
        )
        if found := piece.take(match.start(2), left=after_run, right=True):
            yield found
        yield run
        after_run = True
    piece.add(text[position:], range(position, len(text)))
    if found := piece.take(len(text), left=after_run, right=False):
        yield found


class _PieceBuilder:
    """Collects plain text and where its characters stand."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._starts: list[Sequence[int]] = []

    def add(self, text: str, starts: Sequence[int]) -> None:
        """Appends characters, with the position of each."""
        if text:
            self._texts.append(text)
            self._starts.append(starts)

    def take(self, stop: int, *, left: bool, right: bool) -> TextPiece | None:
        """Returns what was collected, stripped on the named sides, and starts anew; None where nothing remains."""
        text = "".join(self._texts)
        # A piece without escapes is one range, which costs nothing to index.
        bounds: Sequence[int]
        if len(self._starts) == 1 and isinstance(self._starts[0], range) and self._starts[0].step == 1:
            bounds = range(self._starts[0][0], stop + 1)
        else:
            bounds = [start for starts in self._starts for start in starts] + [stop]
        self._texts, self._starts = [], []
        begin = len(text) - len(text.lstrip()) if left else 0
        end = len(text.rstrip()) if right else len(text)
        return TextPiece(text[begin:end], bounds[begin : end + 1]) if begin < end else None


def _read_tag(text: str, opening: str, start: int) -> tuple[TokenRun, int]:
    """Returns the stripped content of the tag that opens at `start`, and where the text goes on behind it."""
    if opening.startswith("</"):
        remedy = rf"write {opening.replace('/', '')} before the sequence, or escape it as \{opening}"
        raise TokenError(f"{opening} at position {start} closes no open tag; {remedy}", opening[0], start)
    tag, inside = opening[1:-1], start + len(opening)
    closing = _TAG.search(text, inside)
    if closing is None:
        remedy = rf"write </{tag}> behind the sequence, or escape it as \{opening}"
        raise TokenError(f"{opening} at position {start} is not closed; {remedy}", opening[0], start)
    if closing[0] != f"</{tag}>":
        reason = f"{closing[0]} at position {closing.start()} stands inside {opening}; write </{tag}> before it"
        raise TokenError(reason, closing[0][0], closing.start())
    content = text[inside : closing.start()]
    if not content.strip():
        reason = f"{opening} at position {start} is empty; write a sequence into it, or leave the tag out"
        raise TokenError(reason, opening[0], start)
    return TokenRun(tag, content.strip(), inside + len(content) - len(content.lstrip())), closing.end()
