r"""Splits a text into plain pieces, which SentencePiece encodes, and runs of single-character tokens.

A text is split at marks: the form of an added token (`{|C|}`), an opening tag (`<smiles>`) and a closing tag
(`</smiles>`). White space next to a mark is dropped, as in the published tokenizer.

Escapes: a backslash right before a mark makes the mark plain text, and a literal backslash in that position is doubled.
So of n backslashes right before a mark ⌊n / 2⌋ remain as text, and an odd n escapes the mark. A backslash anywhere else
is literal, also inside a tag, where it is a character of SMILES. The tags of other projects (`<SMILES>`) are plain text
here, but can be escaped too: where a file is read, `tags.with_own_tags` turns those that are not escaped into ours.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from scimind.errors import TokenError
from scimind.tokenizer.alphabet import (
    BASE_MODALITIES,
    BRACKETS,
    EXTENSION_CHARACTERS,
    TAG_MODALITIES,
    added_tokens,
    token_form,
)
from scimind.tokenizer.tags import FOREIGN_TAGS, FORM_LENGTH, TAG_PATTERN, closing_tag

_EXTENSION_FORM = token_form("smiles", EXTENSION_CHARACTERS[0])
_FORM_PATTERN = "|".join(re.escape(token_form(*token)) for token in added_tokens(extension=True))
_TAG = re.compile(TAG_PATTERN)
# The lookbehind makes a run of backslashes match only from its first one, which keeps the search linear.
_FOREIGN = "|".join(FOREIGN_TAGS)
_ESCAPABLE = re.compile(rf"(?<!\\)(\\*)({_FORM_PATTERN}|{TAG_PATTERN}|</?(?:{_FOREIGN})>)")


def _mark_pattern(extension: bool) -> re.Pattern[str]:
    """Returns the pattern of a tag, or of a run of forms of one modality; backslashes are handled afterwards.

    Every alternative begins with a literal character, which makes the search skip text several times faster.
    """
    alternatives = []
    for modality, characters in BASE_MODALITIES.items():
        wider = characters + EXTENSION_CHARACTERS if extension and modality == "smiles" else characters
        opening, closing = map(re.escape, BRACKETS[modality])
        form = f"{opening}[{re.escape(wider)}]{closing}"
        alternatives.append(f"{form}(?:{form})*")
    # A form that is not in the vocabulary is a mark too, which can be escaped.
    alternatives += [re.escape(token_form("smiles", character)) for character in EXTENSION_CHARACTERS]
    names = "|".join((*TAG_MODALITIES, *FOREIGN_TAGS))
    return re.compile("|".join([*alternatives, *(f"{mark}(?:{names})>" for mark in ("<", "</"))]))


_MARKS = {extension: _mark_pattern(extension) for extension in (False, True)}


class TextPiece(NamedTuple):
    """Plain text between two marks, with escapes removed.

    Args:
        text: The characters, never empty.
        bounds: One more than there are characters: character i is at [bounds[i], bounds[i + 1]) in the given text,
            where an escaping backslash belongs to the character after it.
    """

    text: str
    bounds: Sequence[int]


class TokenRun(NamedTuple):
    """Characters that are each a token.

    Args:
        tag: The tag that contains them, or None for forms of added tokens.
        characters: The characters in a tag, or consecutive forms of one modality.
        start: Position of the first one in the given text.
    """

    tag: str | None
    characters: str
    start: int


def escape(text: str) -> str:
    r"""Returns `text` with a backslash before each mark, so that it encodes as plain text.

    The forms of the extension count as marks for every tokenizer. Backslashes right before a mark are doubled.
    """
    if _MARKS[True].search(text) is None:
        return text
    return _ESCAPABLE.sub(lambda match: rf"{match[1] * 2}\{match[2]}", text)


def segment(text: str, forms: Container[str]) -> Iterator[TextPiece | TokenRun]:
    """Yields the pieces and runs of `text` in order; pieces are stripped next to a run, and empty ones are left out.

    Args:
        text: Any text.
        forms: The added tokens of the vocabulary, with or without those of the extension; other forms are plain text.

    Raises:
        TokenError: A tag is empty, not closed, not opened, or contains another tag.
    """
    find = _MARKS[_EXTENSION_FORM in forms].search
    piece = _PieceBuilder()
    position, after_run = 0, False
    while match := find(text, position):
        mark, start, begin = match[0], match.start(), position
        plain = text[begin:start].rstrip("\\")
        slashes = start - begin - len(plain)
        is_form = mark[1] == "|"
        piece.add(plain, range(begin, start - slashes))
        piece.add("\\" * (slashes // 2), range(start - slashes, start - slashes % 2, 2))
        if slashes % 2 or (mark[:FORM_LENGTH] not in forms if is_form else _TAG.fullmatch(mark) is None):
            mark = mark[:FORM_LENGTH] if is_form else mark
            position = start + len(mark)
            piece.add(mark, [start - slashes % 2, *range(start + 1, position)])
            continue
        run, position = (TokenRun(None, mark, start), match.end()) if is_form else _read_tag(text, mark, start)
        if found := piece.take(start, left=after_run, right=True):
            yield found
        yield run
        after_run = True
    piece.add(text[position:], range(position, len(text)))
    if found := piece.take(len(text), left=after_run, right=False):
        yield found


class _PieceBuilder:
    """Collects plain text and the positions of its characters."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._starts: list[Sequence[int]] = []

    def add(self, text: str, starts: Sequence[int]) -> None:
        """Appends characters, with the position of each."""
        if text:
            self._texts.append(text)
            self._starts.append(starts)

    def take(self, stop: int, *, left: bool, right: bool) -> TextPiece | None:
        """Returns the collected text, stripped on the given sides, and starts anew; None if nothing remains."""
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
    """Returns the stripped content of the tag that opens at `start`, and the position after the closing tag."""
    if opening.startswith("</"):
        remedy = rf"write {opening.replace('/', '')} before the sequence, or escape it as \{opening}"
        raise TokenError(f"{opening} at position {start} has no opening tag; {remedy}", opening[0], start)
    tag, inside = opening[1:-1], start + len(opening)
    closing = _TAG.search(text, inside)
    if closing is None:
        remedy = rf"write </{tag}> after the sequence, or escape it as \{opening}"
        raise TokenError(f"{opening} at position {start} is not closed; {remedy}", opening[0], start)
    if closing[0] != closing_tag(tag):
        reason = f"{closing[0]} at position {closing.start()} is inside {opening}; write </{tag}> before it"
        raise TokenError(reason, closing[0][0], closing.start())
    content = text[inside : closing.start()]
    if not content.strip():
        reason = f"{opening} at position {start} is empty; put a sequence into it, or leave the tag out"
        raise TokenError(reason, opening[0], start)
    return TokenRun(tag, content.strip(), inside + len(content) - len(content.lstrip())), closing.end()
