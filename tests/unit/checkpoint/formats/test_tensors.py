"""Encoding numbers as words, and reading a file that changes meanwhile."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from scimind.checkpoint.formats.tensors import StoredTensor, from_float32, to_float32
from scimind.errors import CheckpointError


def test_bfloat16_is_rounded_to_the_nearest_and_to_even() -> None:
    words = np.arange(1 << 16, dtype=np.uint16)
    finite = words[np.isfinite(to_float32(words, "BF16"))]
    np.testing.assert_array_equal(from_float32(to_float32(finite, "BF16"), "BF16"), finite)
    one, next_one = 0x3F80, 0x3F81
    for bits, expected in (
        (0x3F808000, one),  # a tie goes to the even word
        (0x3F818000, 0x3F82),
        (0x3F808001, next_one),
        (0x3F807FFF, one),
    ):
        number = np.array([struct.unpack("<f", struct.pack("<I", bits))[0]], np.float32)
        assert from_float32(number, "BF16")[0] == expected


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(8))
    with pytest.raises(CheckpointError, match="ends within a"):
        StoredTensor("a", "F32", (4,), tmp_path / "x", ((0, 16),)).words()
