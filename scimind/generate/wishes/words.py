"""The words of a text of conditions, and faults with the column of a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from scimind.errors import ConfigError

RESERVED = ("and", "or", "not", "in")

# A backslash in quotes is an ordinary character, since it is a bond of SMILES.
_WORD = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<sign>[<>=!]=|<(?!>)|\*(?!\*)|/(?!/)|[>()+\-,])"
    r"|(?P<other>\*\*|//|&&|\|\||<>|=[<>]|:=|\S)"
)


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        kind: `number`, `name`, `reserved`, `text` (in quotes), `sign` (an operator, parenthesis or comma), `other`
            (not part of the language) or `end`.
        text: The characters of the word, with its quotes; empty at the end.
        start: Index of its first character in the text.
    """

    kind: str
    text: str
    start: int


def words(text: str) -> Iterator[Word]:
    """Yields the words of a text, and at last one of kind `end`."""
    for match in _WORD.finditer(text):
        kind = str(match.lastgroup)
        yield Word("reserved" if match[0] in RESERVED else kind, match[0], match.start())
    yield Word("end", "", len(text.rstrip()))


def fault(start: int, reason: str) -> ConfigError:
    """Returns the error for a fault.

    Args:
        start: Index of the character where it is.
        reason: What is wrong and what to do, without a line break.
    """
    return ConfigError(f"column {start + 1} of the conditions: {reason}")
