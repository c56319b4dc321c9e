"""Rotary embedding for tokens at arbitrary positions."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.cpu.rotary import half_turn


class Rotary(nn.Cell):
    """Rotates queries and keys by their positions, and divides both by ⁴√p, so that their products are divided by √p.

    A head's half turn is a product with a constant matrix, which is cheaper than slicing and concatenating.

    Args:
        cosines: Cosines of each position [positions, p].
        sines: Sines of each position [positions, p].
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
        scale = self.head_dim**-0.25
        self.cosines, self.sines = Tensor(cosines * scale, dtype), Tensor(sines * scale, dtype)
        self.heads, self.kv_heads = (1, num_heads), (1, num_kv_heads)
        self.turn = Tensor(half_turn(self.head_dim), dtype)  # [p, p]
        self.gather = P.Gather()
        self.tile = P.Tile()
        self.reshape = P.Reshape()
        self.product = P.MatMul()

    def construct(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns cosines and sines for queries [t, n·p] and for keys [t, n_kv·p] at positions [t] int32."""
        cosines, sines = self.gather(self.cosines, positions, 0), self.gather(self.sines, positions, 0)
        queries, keys = self.heads, self.kv_heads
        return self.tile(cosines, queries), self.tile(sines, queries), self.tile(cosines, keys), self.tile(sines, keys)

    def rotate(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Returns x [t, heads·p], rotated."""
        turned = self.product(self.reshape(x, (-1, self.head_dim)), self.turn)
        return x * cosines + self.reshape(turned, x.shape) * sines


class StepRotary(nn.Cell):
    """The same for one token per row, in one product.

    All heads of a row are at the same position, so its rotation is one matrix: R = diag(cos) + H · diag(sin), where
    x · H is the half turn of x.

    Args:
        rotary: The tables.
    """

    def __init__(self, rotary: Rotary) -> None:
        super().__init__()
        p = rotary.head_dim
        self.head_dim = p
        self.cosines, self.sines = rotary.cosines, rotary.sines
        self.identity = Tensor(np.eye(p), rotary.turn.dtype)
        self.turn = rotary.turn
        self.gather = P.Gather()
        self.reshape = P.Reshape()
        self.product = P.BatchMatMul()

    def construct(self, positions: Tensor) -> Tensor:
        """Returns R / ⁴√p [b, p, p] at positions [b] int32."""
        cosines = self.reshape(self.gather(self.cosines, positions, 0), (-1, 1, self.head_dim))
        sines = self.reshape(self.gather(self.sines, positions, 0), (-1, 1, self.head_dim))
        return self.identity * cosines + self.turn * sines

    def rotate(self, x: Tensor, turn: Tensor) -> Tensor:
        """Returns x [b, heads·p], rotated."""
        return self.reshape(self.product(self.reshape(x, (turn.shape[0], -1, self.head_dim)), turn), x.shape)
