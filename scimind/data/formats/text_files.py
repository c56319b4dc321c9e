"""Reads text files block by block: compressed or not, in any usual encoding, with any line ends."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from scimind.data.formats.encoding import WINDOWS, encoding_of, marked_encoding
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import byte_blocks
from scimind.errors import DataError

# A longer record is not a record but a sign of a damaged or different file; it is reported and not kept in memory.
LONGEST_LINE = 1 << 20

_LONGEST_TEXT = 64 << 20
_BACKSLASHES = re.compile(r"\\{2,}")


def read_text(path: Path) -> str:
    """Returns the text of a file, with line ends as `\\n`, without a byte order mark; errors as for `open_text`.

    Raises:
        DataError: Also if the file has more than 64 million characters.
    """
    parts, size = [], 0
    for block in open_text(path)[1]:
        parts.append(block)
        size += len(block)
        if size > _LONGEST_TEXT:
            raise DataError(f"has more than {_LONGEST_TEXT:,} characters; give a shorter file", path)
    return "".join(parts)


def open_text(path: Path, notes: FileNotes | None = None, *, strict: bool | None = None) -> tuple[str, Iterator[str]]:
    """Returns the first character of a file that is not white space, and the text of the file.

    The text is an iterator of blocks that starts at the beginning of the file, with line ends as `\\n` and without a
    byte order mark. The file, which may be compressed, is read as blocks are requested.

    Args:
        path: The file, a pipe, or `-` for standard input.
        notes: Filled while the file is read.
        strict: Whether a byte that does not belong to the file's encoding is an error, raised when it is reached.
            Otherwise it becomes half a surrogate pair, by which `broken_byte` finds the record that contains it. By
            default, files are read strictly if there are no notes.

    Raises:
        DataError: The file does not exist, cannot be read, is empty, or is not text.
    """
    strict = notes is None if strict is None else strict
    blocks, read = _text_blocks(path, FileNotes() if notes is None else notes, strict), []
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


def _text_blocks(path: Path, notes: FileNotes, strict: bool) -> Iterator[str]:
    line, last = 1, b""
    decoder: _Decoder | None = None
    try:
        for data in byte_blocks(path, notes):
            decoder = decoder or _Decoder(path, data, notes, strict)
            notes.crlf += data.count(b"\r\n") + (last == b"\r" and data[:1] == b"\n")
            last = data[-1:]
            if text := decoder.decode(data):
                notes.ends_open = not text.endswith("\n")
            yield text
            line += data.count(b"\n")
        if decoder is not None and (text := decoder.decode(b"", final=True)):
            notes.ends_open = not text.endswith("\n")
            yield text
    except UnicodeDecodeError as error:
        # The rest of the previous block, at most part of a character, contains no line end.
        line += error.object.count(b"\n", 0, error.start)
        wrong = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise DataError(f"{wrong}; save the file as UTF-8", path, line) from error


class _Decoder:
    """Decodes the blocks of a file; the encoding is decided at the first byte beyond ASCII."""

    def __init__(self, path: Path, start: bytes, notes: FileNotes, strict: bool) -> None:
        self._path, self._notes, self._strict = path, notes, strict
        notes.crlf = 0
        notes.encoding = marked_encoding(start) or "utf-8"
        notes.byte_order_mark = bool(marked_encoding(start))
        if not notes.byte_order_mark and b"\0" in start[:4096]:
            reason = "is neither text nor a data format that can be read (it holds zero bytes); save it as UTF-8"
            raise DataError(reason, path)
        self._is_decided = notes.byte_order_mark
        self._decode: Callable[..., str] = self._make()

    def decode(self, data: bytes, final: bool = False) -> str:
        """Returns the text of the next block."""
        if not self._is_decided and not data.isascii():
            self._is_decided = True
            self._notes.encoding = encoding_of(byte_blocks(self._path))
            if self._notes.encoding == WINDOWS:
                # Only ASCII was read so far, of which the decoder may keep a carriage return.
                self._decode = self._make(self._decode)
        return self._decode(data, final=final)

    def _make(self, earlier: Callable[..., str] | None = None) -> Callable[..., str]:
        encoding = self._notes.encoding
        if encoding == "utf-8":
            encoding, errors = "utf-8-sig", "strict" if self._strict else "surrogateescape"
        else:
            errors = "strict" if self._strict and encoding == WINDOWS else "replace"
        made = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(errors), translate=True)
        if earlier is not None:
            made.setstate((b"", earlier.__self__.getstate()[1] & 1))  # type: ignore[attr-defined]
        return made.decode
