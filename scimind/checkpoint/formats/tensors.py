"""Tensors in files of weights, described by the files' headers and read piece by piece.

Reading and writing do not interpret numbers: a tensor is handled as raw bytes, so that float32, float16 and bfloat16
pass unchanged, and numpy, which has no bfloat16, sees unsigned integers of the same width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.errors import CheckpointError

CHUNK = 1 << 25  # bytes held in memory at a time when a tensor is only copied

# The type names of safetensors, with the bytes of one number.
WIDTHS = {
    **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "BOOL": 1},
    **{f"{sign}{bits}": bits // 8 for sign in "IU" for bits in (8, 16, 32, 64)},
}
FLOATS = ("F32", "F16", "BF16")
# The bits of the exponent, which are all set in infinities and NaN only.
_EXPONENTS = {"F16": np.uint16(0x7C00), "BF16": np.uint16(0x7F80), "F32": np.uint32(0x7F800000)}
_NUMPY = {
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BOOL": np.bool_},
    **{"I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64},
    **{"U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "U64": np.uint64},
}
_WORDS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class StoredTensor:
    """The position of a tensor's bytes in a file.

    Args:
        name: Its name in the file.
        dtype: A key of `WIDTHS`.
        shape: Its shape; empty for a single number.
        file: The file.
        spans: Offset and length of each part, in order.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    spans: tuple[tuple[int, int], ...]

    @property
    def nbytes(self) -> int:
        """Bytes that the shape and the type require."""
        return math.prod(self.shape) * WIDTHS[self.dtype]

    def check(self) -> None:
        """Checks that the parts have as many bytes as the shape requires.

        Raises:
            CheckpointError: They have more or fewer.
        """
        there = sum(length for _, length in self.spans)
        if there != self.nbytes:
            raise CheckpointError(
                f"{self.file}: {self.name} has {there} bytes, {self.dtype} {list(self.shape)} needs {self.nbytes}; "
                "the file is damaged, download it again"
            )

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yields the bytes from `start` to `stop`, at most `CHUNK` at a time.

        Raises:
            CheckpointError: The file cannot be read, or ends too early.
        """
        stop = self.nbytes if stop is None else stop
        position = 0
        try:
            with self.file.open("rb") as stream:
                for offset, length in self.spans:
                    first, last = max(start - position, 0), min(stop - position, length)
                    position += length
                    if first >= last:
                        continue
                    stream.seek(offset + first)
                    for begin in range(first, last, CHUNK):
                        piece = stream.read(min(CHUNK, last - begin))
                        if len(piece) != min(CHUNK, last - begin):
                            raise CheckpointError(f"{self.file}: ends within {self.name}; download the file again")
                        yield piece
        except OSError as error:
            raise CheckpointError(f"{self.file}: cannot be read ({error.strerror})") from error

    def words(self, first: int = 0, last: int | None = None) -> NDArray[np.unsignedinteger]:
        """Returns rows `first` … `last` as unsigned integers of the numbers' width, [rows, …]; all rows by default."""
        if not self.shape:
            return np.frombuffer(b"".join(self.chunks()), _WORDS[WIDTHS[self.dtype]]).reshape(())
        last = self.shape[0] if last is None else last
        row = self.nbytes // max(1, self.shape[0])
        found = np.empty((last - first) * row, np.uint8)
        position = 0
        for piece in self.chunks(first * row, last * row):
            found[position : position + len(piece)] = np.frombuffer(piece, np.uint8)
            position += len(piece)
        return found.view(_WORDS[WIDTHS[self.dtype]]).reshape(last - first, *self.shape[1:])

    def values(self) -> NDArray[Any]:
        """Returns the tensor in numpy's type of the same name; numpy has no bfloat16, see `numbers`."""
        return self.words().view(_NUMPY[self.dtype])

    def numbers(self, first: int = 0, last: int | None = None) -> NDArray[np.float32]:
        """Returns rows as float32, which is exact for the three types of `FLOATS`."""
        return to_float32(self.words(first, last), self.dtype)


@dataclass(frozen=True)
class NewTensor:
    """A tensor to write.

    Args:
        name: Its name in the new file.
        dtype: A key of `WIDTHS`.
        shape: Its shape.
        pieces: Yields its bytes part by part; iterated once.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Iterable[bytes | memoryview]

    @property
    def nbytes(self) -> int:
        """Bytes that the shape and the type require."""
        return math.prod(self.shape) * WIDTHS[self.dtype]


def to_float32(words: NDArray[np.unsignedinteger], dtype: str) -> NDArray[np.float32]:
    """Returns the numbers encoded by words as float32; float64 is rounded.

    Args:
        words: What `StoredTensor.words` returns, any shape.
        dtype: "F32", "F16", "BF16" or "F64".

    Raises:
        CheckpointError: The type is another one.
    """
    if dtype == "BF16":
        return (words.astype(np.uint32) << 16).view(np.float32)
    if dtype not in ("F16", "F32", "F64"):
        raise CheckpointError(f"a weight has type {dtype}; weights must be {', '.join(FLOATS)}")
    return words.view({"F16": np.float16, "F32": np.float32, "F64": np.float64}[dtype]).astype(np.float32)


def from_float32(numbers: NDArray[np.float32], dtype: str) -> NDArray[np.unsignedinteger]:
    """Returns the words that encode numbers, rounded to nearest, ties to even.

    Args:
        numbers: Finite numbers, any shape.
        dtype: "F32", "F16" or "BF16".
    """
    if dtype == "BF16":
        bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    kind = {"F16": np.float16, "F32": np.float32}[dtype]
    return np.ascontiguousarray(numbers.astype(kind)).view(_WORDS[WIDTHS[dtype]])


def are_finite(piece: bytes | memoryview, dtype: str) -> bool:
    """Returns whether all numbers are finite, which shows in their exponent without computing with them.

    Args:
        piece: Whole numbers' bytes.
        dtype: Their type; integers are always finite.
    """
    exponent = _EXPONENTS.get(dtype)
    if exponent is None:
        return True
    words = np.frombuffer(piece, _WORDS[WIDTHS[dtype]])
    return not bool(((words & exponent) == exponent).any())


def bytes_of(words: NDArray[np.unsignedinteger]) -> memoryview:
    """Returns the bytes of an array, without a copy if it is contiguous."""
    return np.ascontiguousarray(words).reshape(-1).view(np.uint8).data
