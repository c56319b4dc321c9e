"""Protocol buffers read field by field, without their schema: MindSpore's checkpoints and SentencePiece's models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO


def fields(stream: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, start and stop of each field of a message; a plain number has its value as start and no stop.

    Args:
        stream: A file; it is read at the fields' heads only.
        start: Where the message begins.
        stop: Where it ends.

    Raises:
        ValueError: The message is cut, or has a field of fixed width.
    """
    position = start
    while position < stop:
        stream.seek(position)
        key = varint(stream)
        if key & 7 == 0:
            value = varint(stream)
            position = stream.tell()
            yield key >> 3, value, -1
            continue
        if key & 7 != 2:
            raise ValueError(f"wire type {key & 7} at byte {position}")
        length = varint(stream)
        begin = stream.tell()
        position = begin + length
        if position > stop:
            raise ValueError(f"{position - stop} bytes are missing")
        yield key >> 3, begin, position


def varint(stream: BinaryIO) -> int:
    """Returns the number at a file's position, and leaves the position behind it.

    Raises:
        ValueError: The file ends within it, or it has more than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("it ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    raise ValueError("a number is too long")
