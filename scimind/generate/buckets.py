"""The few shapes that a decoder is run with, so that compiled graphs are reused."""

from __future__ import annotations

from collections.abc import Sequence

SMALLEST_LENGTH = 32


def length_buckets(max_length: int, smallest: int = SMALLEST_LENGTH) -> tuple[int, ...]:
    """Returns the prompt lengths that a decoder is run with: doubling from `smallest`, then `max_length` itself."""
    sizes = []
    while smallest < max_length:
        sizes.append(smallest)
        smallest *= 2
    return (*sizes, max_length)


def batch_buckets(batch_size: int) -> tuple[int, ...]:
    """Returns the batch sizes that a decoder is run with: 1, 2, 4, … and `batch_size` itself."""
    return length_buckets(batch_size, smallest=1)


def bucket_for(size: int, buckets: Sequence[int]) -> int:
    """Returns the smallest bucket that holds `size`.

    Args:
        size: Length or number of rows.
        buckets: Ascending sizes; the last must be at least `size`.
    """
    return next(bucket for bucket in buckets if bucket >= size)
