"""Opens data files as bytes: a file, a pipe or standard input (`-`), compressed or not."""

from __future__ import annotations

import bz2
import lzma
import os
import re
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from scimind.data.formats.notes import FileNotes
from scimind.errors import DataError
from scimind.hashing import file_checksum
from scimind.runtime.private_folder import private_folder

STDIN = "-"
# A pipe can be read only once but is needed several times, so that it is copied to a file.
LONGEST_PIPE = 4 << 30

_BLOCK = 1 << 20
# Compressed bytes that are expanded at a time: a thousand bytes can hold 32 MB of zeros, but not more.
_PIECE = 1 << 10
_XZ_MEMORY = 256 << 20
_MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "bzip2": re.compile(rb"BZh[1-9]1AY&SY"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
}


class _Copies:
    """The copies of pipes that were read, by path; they are removed with their folder."""

    def __init__(self) -> None:
        self.depth = 0
        self.paths: dict[str, Path] = {}
        self.folder: tempfile.TemporaryDirectory[str] | None = None

    def clear(self) -> None:
        self.paths.clear()
        if self.folder is not None:
            self.folder.cleanup()
            self.folder = None

    def add(self, path: Path) -> Path:
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(dir=private_folder("data"))
        target = Path(self.folder.name) / str(len(self.paths))
        size = 0
        try:
            with _stream(path) as source, target.open("wb") as copy:
                while data := source.read(_BLOCK):
                    size += len(data)
                    if size > LONGEST_PIPE:
                        reason = f"the pipe holds more than {LONGEST_PIPE >> 30} GiB; save it as a file and give that"
                        raise DataError(reason, path)
                    copy.write(data)
        except OSError as error:
            reason = f"the pipe cannot be copied to {tempfile.gettempdir()} ({error.strerror}); save it as a file"
            raise DataError(reason, path) from error
        self.paths[str(path)] = target
        return target


_copies = _Copies()


@contextmanager
def kept_pipes() -> Iterator[None]:
    """Keeps what is read from pipes until the outermost of these contexts ends, so that they can be read repeatedly."""
    _copies.depth += 1
    try:
        yield
    finally:
        _copies.depth -= 1
        if not _copies.depth:
            _copies.clear()


def _stream(path: Path) -> BinaryIO:
    return os.fdopen(os.dup(0), "rb") if str(path) == STDIN else path.open("rb")


def regular_file(path: Path) -> Path:
    """Returns the regular file that holds the bytes of a path: itself, or the copy of a pipe.

    Raises:
        DataError: The path does not exist, or is a folder, a device or a terminal.
    """
    try:
        str(path).encode("utf-8")
        state = os.fstat(0) if str(path) == STDIN else path.stat()
    except UnicodeEncodeError as error:
        shown = str(path).encode("ascii", "backslashreplace").decode()
        reason = "has a name that this locale cannot write; set LC_ALL=C.UTF-8, or rename the file"
        raise DataError(reason, shown) from error
    except FileNotFoundError as error:
        raise DataError("no such file; check the path", path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give a readable file", path) from error
    if stat.S_ISDIR(state.st_mode):
        raise DataError("cannot be read (it is a folder); give a file", path)
    if stat.S_ISCHR(state.st_mode) or stat.S_ISBLK(state.st_mode):
        raise DataError("cannot be read (it is a device or a terminal); give a file or a pipe", path)
    if stat.S_ISREG(state.st_mode) and str(path) != STDIN:
        return path
    return _copies.paths.get(str(path)) or _copies.add(path)


def name_of(path: Path) -> str:
    """Returns the name of a file without its extension, as used for ids and results; `stdin` for standard input."""
    return "stdin" if str(path) == STDIN else path.stem


def state_of(path: Path) -> list[Any] | None:
    """Returns what changes if the content of a file does; None if the file does not exist."""
    try:
        file = regular_file(path)
    except DataError:
        return None
    if file != path:
        return [file_checksum(file)]
    state = file.stat()
    return [state.st_size, state.st_mtime_ns]


def size_of(path: Path) -> int:
    """Returns the size of a file in bytes, as it is stored; 0 if it cannot be read."""
    try:
        return regular_file(path).stat().st_size
    except (DataError, OSError):
        return 0


def byte_blocks(path: Path, notes: FileNotes | None = None) -> Iterator[bytes]:
    """Yields the bytes of a file in blocks, decompressed; the first bytes decide whether it is compressed.

    Args:
        path: The file.
        notes: Its `compression` and `bytes_read` are filled while the file is read.

    Raises:
        DataError: The file cannot be read, or is compressed and damaged or truncated.
    """
    notes = FileNotes() if notes is None else notes
    file = regular_file(path)
    try:
        with file.open("rb") as stream:
            start = stream.read(16)
            stream.seek(0)
            notes.compression = next((name for name, magic in _MAGIC.items() if magic.match(start)), "")
            blocks = _expanded(stream, notes.compression, path) if notes.compression else _raw(stream)
            for block in blocks:
                notes.bytes_read = stream.tell()
                yield block
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error}); give a readable file", path) from error


def first_bytes(path: Path, size: int) -> bytes:
    """Returns the first bytes of a file, decompressed; fewer than `size` if it is shorter."""
    found = b""
    for block in byte_blocks(path):
        found += block
        if len(found) >= size:
            break
    return found[:size]


@contextmanager
def seekable(path: Path) -> Iterator[Path]:
    """Gives a file that holds the decompressed bytes, for libraries that have to seek."""
    file = regular_file(path)
    with file.open("rb") as stream:
        start = stream.read(16)
    if not any(magic.match(start) for magic in _MAGIC.values()):
        yield file
        return
    with tempfile.TemporaryDirectory(dir=private_folder("data")) as folder:
        target = Path(folder) / "expanded"
        size = 0
        with target.open("wb") as copy:
            for block in byte_blocks(path):
                size += len(block)
                if size > LONGEST_PIPE:
                    raise DataError(f"expands to more than {LONGEST_PIPE >> 30} GiB; give it uncompressed", path)
                copy.write(block)
        yield target


def _raw(stream: BinaryIO) -> Iterator[bytes]:
    while data := stream.read(_BLOCK):
        yield data


def _expanded(stream: BinaryIO, kind: str, path: Path) -> Iterator[bytes]:
    """Yields decompressed blocks; a file may hold several compressed parts one after another, as bgzip writes."""
    make, fault = _decompressor(kind, path)
    engine = make()
    parts: list[bytes] = []
    size = 0
    while data := stream.read(_PIECE):
        while data:
            if engine.eof:
                data = data.lstrip(b"\0")  # padding between parts
                if not data:
                    break
                engine = make()
            try:
                found = engine.decompress(data)
            except fault as error:
                raise _damaged(kind, str(error), path) from error
            data = engine.unused_data if engine.eof else b""
            parts.append(found)
            size += len(found)
        if size >= _BLOCK:
            yield b"".join(parts)
            parts, size = [], 0
    if size:
        yield b"".join(parts)
    if not engine.eof:
        raise _damaged(kind, "it ends too early", path)


def _damaged(kind: str, reason: str, path: Path) -> DataError:
    return DataError(f"is a truncated or corrupt {kind} file ({reason}); download it again", path)


def _decompressor(kind: str, path: Path) -> tuple[Callable[[], Any], tuple[type[Exception], ...]]:
    """Returns what makes a decompressor, and the errors that it raises for damaged data."""
    if kind == "gzip":
        return lambda: zlib.decompressobj(wbits=31), (zlib.error,)
    if kind == "bzip2":
        return bz2.BZ2Decompressor, (OSError, ValueError)
    if kind == "xz":
        return lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY), (lzma.LZMAError,)
    try:
        import zstandard
    except ImportError as error:
        raise DataError('is compressed with zstd; install it with: pip install "scimind[zstd]"', path) from error
    return zstandard.ZstdDecompressor().decompressobj, (zstandard.ZstdError,)
