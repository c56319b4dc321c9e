"""Decides the encoding of a text file: UTF-8, UTF-16 or UTF-32 with a byte order mark, or Windows-1252.

A file that is not UTF-8 is Windows-1252 (which includes Latin-1) if it has no character of several bytes that is valid
UTF-8, and if each of its bytes beyond ASCII is what texts in that encoding contain: a letter in a word with letters of
ASCII, the word `à`, or a usual sign. Otherwise it is UTF-8 in which some bytes are broken.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WINDOWS = "cp1252"

_SEVERAL_BYTES = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_SIGNS = "€…‘’“”–—™•‰†‡¡¢£¥§©«»®°±²³´µ¶·¹º¼½¾¿×÷ª \xa0\xad".encode(WINDOWS)
_LETTERS = bytes(byte for byte in range(0x80, 0x100) if bytes([byte]).decode(WINDOWS, "replace").isalpha())
_LETTER = re.escape(_LETTERS)
_WORD = b"[\xe0\xc0]"  # the French word
# Bytes beyond ASCII that a text in Windows-1252 does not have in this place: letters that touch no letter of ASCII,
# more of them in a row than any word has, and other characters.
_STRANGE = re.compile(
    b"(?<![A-Za-z" + _LETTER + b"])(?!" + _WORD + b"(?![A-Za-z" + _LETTER + b"]))"
    b"[" + _LETTER + b"]+(?![A-Za-z" + _LETTER + b"])"
    b"|[" + _LETTER + b"]{4}"
    b"|[^\\x00-\\x7f" + re.escape(_LETTERS + _SIGNS) + b"]"
)
# The longest character of UTF-8 has 4 bytes; one byte before it is needed to judge the next.
_OVERLAP = 4


def marked_encoding(start: bytes) -> str:
    """Returns the encoding that a byte order mark at the beginning of a file names; empty if there is none."""
    return next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "")


def encoding_of(blocks: Iterable[bytes]) -> str:
    """Returns the encoding of a file without a byte order mark, `utf-8` or `cp1252`, from its bytes.

    Reading stops as soon as the encoding is certain.
    """
    rest, is_foreign = b"", False
    for block in blocks:
        text = rest + block
        if not text.isascii():
            is_foreign = True
            # The last bytes are judged together with the next block, which may continue them.
            if _SEVERAL_BYTES.search(text) or _is_strange(text, bool(rest), len(text) - _OVERLAP):
                return "utf-8"
        rest = text[-_OVERLAP - 1 :]
    return WINDOWS if is_foreign and not _is_strange(rest, len(rest) > _OVERLAP, len(rest)) else "utf-8"


def _is_strange(text: bytes, start: int, end: int) -> bool:
    """Returns whether a byte from `start` to `end` is one that Windows-1252 would not have there."""
    return any(start <= found.start() < end for found in _STRANGE.finditer(text))
