"""Whole numbers on the command line, each with the largest value that can be meant, so that no typo fills a machine."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from scimind.errors import excerpt

LARGEST_SEED = 2**32 - 1  # of NumPy


def up_to(highest: int) -> Callable[[str], int]:
    """Returns the `type` of an option that takes a whole number of at most `highest`."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{excerpt(text)!r} is not a whole number") from None
        if value > highest:
            raise argparse.ArgumentTypeError(f"{excerpt(str(value))} must be at most {highest}")
        return value

    return number
