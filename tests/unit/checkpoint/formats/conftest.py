"""Tensors for the tests of both formats."""

from __future__ import annotations

import numpy as np


def values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "a": random.random((5, 3)).astype(np.float32),
        "b": random.random((4,)).astype(np.float16),
        "c": np.arange(6, dtype=np.int64).reshape(1, 2, 3),
    }
