"""Text files as people have them, block by block: compressed or not, any line ends, with a byte order mark or not."""

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

# A line of more characters is no record but a damaged or a different file; it is told and not kept in memory.
LONGEST_LINE = 1 << 20

_BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_BACKSLASHES = re.compile(r"\\{2,}")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass
class FileNotes:
    """What was mended while a file was read.

    Args:
        byte_order_mark: Whether the file began with one.
        crlf: Number of lines that ended in carriage return and line feed.
        encoding: The encoding that was read.
    """

    byte_order_mark: bool = False
    crlf: int = 0
    encoding: str = "utf-8"

    def lines(self) -> list[str]:
        """Returns a sentence for each thing that was mended."""
        found = []
        if self.byte_order_mark:
            found.append("a byte order mark at the file's beginning was left out")
        if self.crlf:
            found.append(f"{self.crlf:,} lines ended in carriage return and line feed; the line feed alone was kept")
        if self.encoding != "utf-8":
            found.append(f"the file is {self.encoding}, which was turned into UTF-8")
        return found


def read_text(path: Path) -> str:
    """Returns the text of a file, line ends as `\\n`, without a byte order mark; errors as for `open_text`."""
    return "".join(open_text(path)[1])


def open_text(path: Path, notes: FileNotes | None = None) -> tuple[str, Iterator[str]]:
    """Returns the first character of a file that is no white space, and the file's text.

    The text comes in blocks, the first of them from the file's beginning, with line ends as `\\n` and without a byte
    order mark. The file, which may be compressed by gzip, is read as blocks are asked for.

    Args:
        path: The file.
        notes: Filled while the file is read. With it a byte that is not UTF-8 becomes half a surrogate pair, by which
            `broken_byte` finds the record that holds it, and UTF-16 with its mark is read too. Without it both are
            errors, told when they are reached.

    Raises:
        DataError: There is no such file, it cannot be read, it is empty, or it is not UTF-8.
    """
    blocks, read = _text_blocks(path, notes), []
    for block in blocks:
        read.append(block)
        if start := block.lstrip()[:1]:
            return start, chain(read, blocks)
    raise DataError("the file is empty; give one with records", path)


def lines_of(blocks: Iterable[str], longest: int | None = None) -> Iterator[str]:
    """Yields the lines of a text that comes in blocks, without their ends; the last one may be empty.

    Args:
        blocks: The text.
        longest: Of a line of more characters only the first `longest + 1` are yielded; None yields all.
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
    """Returns what is wrong with a text that `open_text` read from bytes that are not UTF-8; None where nothing is."""
    if text.isascii():
        return None
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:
            return f"byte {code - 0xDC00:#04x} is not UTF-8; save the file as UTF-8"
        return "half a surrogate pair is no character; mend the text"
    return None


def repair_backslashes(smiles: str) -> tuple[str, int]:
    r"""Returns the SMILES with single backslashes, and how many places were changed.

    A file that was escaped once too often has `/C=C\\C`; a SMILES itself never has two bond marks in a row.
    """
    return _BACKSLASHES.subn(r"\\", smiles)


def open_bytes(path: Path) -> BinaryIO:
    """Returns a file of bytes, those inside where it is compressed by gzip; OSError as for `open`."""
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
        raise DataError(f"is no whole gzip file ({error}); get it again", path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give a file", path) from error
    except UnicodeDecodeError as error:
        # What is left of the block before, at most part of a character, holds no line end.
        line += error.object.count(b"\n", 0, error.start)
        wrong = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise DataError(f"{wrong}; save the file as UTF-8", path, line) from error


def _decoder(start: bytes, notes: FileNotes | None) -> Callable[..., str]:
    """Returns what decodes a file that begins with these bytes."""
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
    """Returns the number of line ends of a file, 0 if it cannot be read; a progress bar needs it beforehand."""
    try:
        with open_bytes(path) as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except (OSError, EOFError, zlib.error):
        return 0
