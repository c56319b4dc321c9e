"""Digests that are equal on every machine, unlike Python's `hash`."""

from __future__ import annotations

import hashlib
from pathlib import Path


def digest(text: str) -> int:
    """Returns a 64-bit digest that depends on the text only, spread evenly over [0, 2^64)."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def file_checksum(path: Path) -> str:
    """Returns the SHA-256 of a file in hexadecimal digits; OSError if it cannot be read."""
    checksum = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum.update(block)
    return checksum.hexdigest()
