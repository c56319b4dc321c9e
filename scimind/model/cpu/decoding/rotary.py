"""Rotary positions of tokens that stand anywhere in their sequences."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P


class Rotary(nn.Cell):
    """Turns queries and keys by their positions; queries are divided by √p on the way.

    Half a turn of a head is a product with a constant matrix, which costs less than slices and their concatenation.

    Args:
        cosines: Of each position [positions, p].
        sines: The same shape.
        num_heads: n.
        num_kv_heads: n_kv.
        dtype: Type of the tables.

    Source: RoFormer (Su et al. 2021), equation 34.
    """

    def __init__(
        self, cosines: np.ndarray, sines: np.ndarray, num_heads: int, num_kv_heads: int, dtype: mstype
    ) -> None:
        super().__init__()
        self.head_dim = cosines.shape[1]
        scale = self.head_dim**-0.5
        self.cosines_q, self.sines_q = Tensor(cosines * scale, dtype), Tensor(sines * scale, dtype)
        self.cosines_k, self.sines_k = Tensor(cosines, dtype), Tensor(sines, dtype)
        self.heads, self.kv_heads = (1, num_heads), (1, num_kv_heads)
        half = self.head_dim // 2
        turn = np.zeros((self.head_dim, self.head_dim))
        turn[np.arange(half) + half, np.arange(half)] = -1
        turn[np.arange(half), np.arange(half) + half] = 1
        self.turn = Tensor(turn, dtype)  # [p, p]
        self.gather = P.Gather()
        self.tile = P.Tile()
        self.reshape = P.Reshape()
        self.product = P.MatMul()

    def construct(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns cosines and sines for queries [t, n·p] and for keys [t, n_kv·p] at positions [t] int32."""
        return (
            self.tile(self.gather(self.cosines_q, positions, 0), self.heads),
            self.tile(self.gather(self.sines_q, positions, 0), self.heads),
            self.tile(self.gather(self.cosines_k, positions, 0), self.kv_heads),
            self.tile(self.gather(self.sines_k, positions, 0), self.kv_heads),
        )

    def rotate(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Returns x [t, heads·p], turned."""
        turned = self.product(self.reshape(x, (-1, self.head_dim)), self.turn)
        return x * cosines + self.reshape(turned, x.shape) * sines
