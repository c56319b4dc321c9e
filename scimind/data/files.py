"""Text files as people have them: UTF-8 with or without a byte order mark, any line ends; read block by block."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from scimind.errors import DataError

_BLOCK_BYTES = 1 << 20


def read_text(path: Path) -> str:
    """Returns the text of a file, line ends as `\\n`, without a byte order mark; errors as for `open_text`."""
    return "".join(open_text(path)[1])


def open_text(path: Path) -> tuple[str, Iterator[str]]:
    """Returns the first character of a file that is no white space, and the file's text.

    The text comes in blocks, the first of them from the file's beginning, with line ends as `\\n` and without a byte
    order mark. The file is read as blocks are asked for; a byte that is not UTF-8 is told when it is reached.

    Raises:
        DataError: There is no such file, it cannot be read, it is empty, or it is not UTF-8.
    """
    blocks, read = _text_blocks(path), []
    for block in blocks:
        read.append(block)
        if start := block.lstrip()[:1]:
            return start, chain(read, blocks)
    raise DataError("the file is empty; give one with records", path)


def lines_of(blocks: Iterable[str]) -> Iterator[str]:
    """Yields the lines of a text that comes in blocks, without their ends; the last one may be empty."""
    rest = ""
    for block in blocks:
        *lines, rest = (rest + block).split("\n")
        yield from lines
    yield rest


def _text_blocks(path: Path) -> Iterator[str]:
    decode = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True).decode
    line = 1
    try:
        with path.open("rb") as file:
            while data := file.read(_BLOCK_BYTES):
                yield decode(data)
                line += data.count(b"\n")
            yield decode(b"", final=True)
    except FileNotFoundError as error:
        raise DataError("no such file; check the path", path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give a file", path) from error
    except UnicodeDecodeError as error:
        # What is left of the block before, at most part of a character, holds no line end.
        line += error.object.count(b"\n", 0, error.start)
        wrong = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise DataError(f"{wrong}; save the file as UTF-8", path, line) from error


def count_lines(path: Path) -> int:
    """Returns the number of line ends of a file, 0 if it cannot be read; a progress bar needs it beforehand."""
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        return 0
