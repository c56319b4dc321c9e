"""Reads text files block by block: compressed or not, with any line ends, with or without a byte order mark."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from scimind.errors import DataError

# A longer line is not a record but a sign of a damaged or different file; it is reported and not kept in memory.
LONGEST_LINE = 1 << 20

_BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_BACKSLASHES = re.compile(r"\\{2,}")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass
class FileNotes:
    """The repairs made while a file was read.

    Args:
        byte_order_mark: Whether a byte order mark was removed.
        crlf: Number of lines that ended in carriage return and line feed.
        encoding: The encoding of the file.
    """

    byte_order_mark: bool = False
    crlf: int = 0
    encoding: str = "utf-8"

    def lines(self) -> list[str]:
        """Returns a sentence for each repair."""
        found = []
        if self.byte_order_mark:
            found.append("a byte order mark at the beginning of the file was removed")
        if self.crlf:
            found.append(f"{self.crlf:,} lines ended in carriage return and line feed; only the line feed was kept")
        if self.encoding != "utf-8":
            found.append(f"the file was converted from {self.encoding} to UTF-8")
        return found


def read_text(path: Path) -> str:
    """Returns the text of a file, with line ends as `\\n`, without a byte order mark; errors as for `open_text`."""
    return "".join(open_text(path)[1])


def open_text(path: Path, notes: FileNotes | None = None) -> tuple[str, Iterator[str]]:
    """Returns the first character of a file that is not white space, and the text of the file.

    The text is an iterator of blocks that starts at the beginning of the file, with line ends as `\\n` and without a
    byte order mark. The file, which may be compressed by gzip, is read as blocks are requested.

    Args:
        path: The file.
        notes: Filled while the file is read. If given, a byte that is not UTF-8 becomes half a surrogate pair, by which
            `broken_byte` finds the record that contains it, and UTF-16 with a byte order mark is read too. Otherwise
            both are errors, raised when they are reached.

    Raises:
        DataError: The file does not exist, cannot be read, is empty, or is not UTF-8.
    """
    blocks, read = _text_blocks(path, notes), []
    for block in blocks:
        read.append(block)
        if start := block.lstrip()[:1]:
            return start, chain(read, blocks)
    raise DataError("the file is empty; give a file with records", path)


def lines_of(blocks: Iterable[str], longest: int | None = None) -> Iterator[str]:
    """Yields the lines of a text that comes in blocks, without line ends; the last line may be empty.

    Args:
        blocks: The text.
        longest: Longer lines are cut to their first `longest + 1` characters; None yields them whole.
    """
    rest, too_long = "", False
    for block in blocks:
        if too_long:
            _, end, block = block.partition("\n")
            if not end:
                continue
            yield rest
            rest, too_long = "", False
        *lines, rest = (rest + block).split("\n")
        yield from lines if longest is None else (line[: longest + 1] for line in lines)
        if longest is not None and len(rest) > longest:
            rest, too_long = rest[: longest + 1], True
    yield rest


def broken_byte(text: str) -> str | None:
    """Returns what is wrong with a text that `open_text` read from bytes that are not UTF-8; None if nothing is."""
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"byte {code - 0xDC00:#04x} is not UTF-8; save the file as UTF-8"
        return "half a surrogate pair is not a character; fix the text"
    return None


def repair_backslashes(smiles: str) -> tuple[str, int]:
    r"""Returns the SMILES with single backslashes, and how many places were changed.

    A file that was escaped once too often has `/C=C\\C`; a SMILES itself never has two bond marks in a row.
    """
    return _BACKSLASHES.subn(r"\\", smiles)


def open_bytes(path: Path) -> BinaryIO:
    """Returns a binary file, decompressed if it is gzip; OSError as for `open`."""
    with path.open("rb") as file:
        magic = file.read(len(_GZIP))
    return gzip.open(path) if magic == _GZIP else path.open("rb")  # type: ignore[return-value]


def _text_blocks(path: Path, notes: FileNotes | None) -> Iterator[str]:
    line, last = 1, b""
    decode = None
    try:
        with open_bytes(path) as file:
            while data := file.read(_BLOCK_BYTES):
                decode = decode or _decoder(data, notes)
                if notes is not None:
                    notes.crlf += data.count(b"\r\n") + (last == b"\r" and data[:1] == b"\n")
                    last = data[-1:]
                yield decode(data)
                line += data.count(b"\n")
            if decode is not None:
                yield decode(b"", final=True)
    except FileNotFoundError as error:
        raise DataError("no such file; check the path", path) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"is a truncated or corrupt gzip file ({error}); download it again", path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give a readable file", path) from error
    except UnicodeDecodeError as error:
        # The rest of the previous block, at most part of a character, contains no line end.
        line += error.object.count(b"\n", 0, error.start)
        wrong = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise DataError(f"{wrong}; save the file as UTF-8", path, line) from error


def _decoder(start: bytes, notes: FileNotes | None) -> Callable[..., str]:
    """Returns the decoder of a file that begins with these bytes."""
    encoding, errors = "utf-8-sig", "strict"
    if notes is not None:
        errors = "surrogateescape"
        notes.byte_order_mark = start.startswith((codecs.BOM_UTF8, *_UTF16))
        if start[:2] in _UTF16:
            encoding, errors = _UTF16[start[:2]], "replace"
            notes.encoding = encoding
    inner = codecs.getincrementaldecoder(encoding)(errors)
    return io.IncrementalNewlineDecoder(inner, translate=True).decode


def count_lines(path: Path) -> int:
    """Returns the number of line ends of a file, 0 if it cannot be read; a progress bar needs it in advance."""
    try:
        with open_bytes(path) as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except (OSError, EOFError, zlib.error):
        return 0
