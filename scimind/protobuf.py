"""Reads protocol buffers field by field, without a schema: MindSpore's checkpoints and SentencePiece's models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO


def fields(stream: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yields number, start and stop of each field of a message; for a plain number, start is its value and stop -1.

    Args:
        stream: A file, which is only read at the heads of the fields.
        start: Position at which the message begins.
        stop: Position at which it ends.

    Raises:
        ValueError: The message is truncated, or has a field of fixed width.
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
    """Returns the number at the position of a file, and moves the position past it.

    Raises:
        ValueError: The file ends within the number, or it has more than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            raise ValueError("the file ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
    raise ValueError("a number is too long")
