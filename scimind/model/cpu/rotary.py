"""Rotary position embedding as multiplication tables."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P


class RotaryTables(nn.Cell):
    """Cosines and sines for every token and head of a batch; those of queries include the attention's scale.

    Args:
        cosines: The cosine for each position and index within a head [positions, p].
        sines: The sine, likewise.
        num_heads: n.
        num_kv_heads: n_kv.

    Source: RoFormer (Su et al., 2021), equation 34.
    """

    def __init__(self, cosines: np.ndarray, sines: np.ndarray, num_heads: int, num_kv_heads: int) -> None:
        super().__init__()
        self.head_dim = cosines.shape[1]
        scale = self.head_dim**-0.5
        self.cosines, self.sines = Tensor(cosines, mstype.float32), Tensor(sines, mstype.float32)
        self.scaled_cosines = Tensor(cosines * scale, mstype.float32)
        self.scaled_sines = Tensor(sines * scale, mstype.float32)
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        self.tile = P.Tile()

    def construct(self, b: int, s: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns cosines and sines of queries [t, n·p] and of keys [t, n_kv·p]."""
        queries, keys = (b, self.num_heads), (b, self.num_kv_heads)
        return (
            self.tile(self.scaled_cosines[:s], queries),
            self.tile(self.scaled_sines[:s], queries),
            self.tile(self.cosines[:s], keys),
            self.tile(self.sines[:s], keys),
        )


def half_turn(head_dim: int) -> np.ndarray:
    """Returns the matrix R [p, p] with (x · R) = (−x[p/2:], x[:p/2]): a rotation without slices and concatenation."""
    half = head_dim // 2
    turn = np.zeros((head_dim, head_dim), np.float32)
    turn[np.arange(half) + half, np.arange(half)] = -1
    turn[np.arange(half), np.arange(half) + half] = 1
    return turn
