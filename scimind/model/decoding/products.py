"""Products of a few rows with weights, with the factors in the order that is fastest on a CPU."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.model._mindformers import LlamaSiLU

# W · xᵀ takes at most half the time of x · Wᵀ at 16 rows, and the same time at 4 and at 128. Below 4, with AVX-512 it
# takes twice as long.
_FEWEST, _MOST = 5, 64


def are_columns(rows: int) -> bool:
    """Whether this number of rows is multiplied faster as columns of the right factor."""
    return _FEWEST <= rows <= _MOST


class RowsProduct(nn.Cell):
    """x · Wᵀ."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.product = P.MatMul(transpose_b=True)
        self.reshape = P.Reshape()
        self.transpose = P.Transpose()
        self.cast = P.Cast()

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """Returns the product of x [b, i] with the weight [o, i]: [o, b] if `are_columns`, else [b, o]."""
        return self.product(weight, x) if are_columns(x.shape[0]) else self.product(x, weight)

    def columns(self, x: Tensor, weight: Tensor) -> Tensor:
        """Returns the product of x [b, i] with the weight [o, i] as [o, b]."""
        y = self.construct(x, weight)
        if x.shape[0] == 1:
            return self.reshape(y, (-1, 1))
        return y if are_columns(x.shape[0]) else self.transpose(y, (1, 0))

    def linear(self, x: Tensor, layer: Any) -> Tensor:
        """Returns the output of a MindFormers linear layer for x [b, i]: [b, o]."""
        if layer.has_bias or not are_columns(x.shape[0]):
            return layer(x)
        return self.rows(x, self.cast(layer.weight, layer.dtype))

    def rows(self, x: Tensor, weight: Tensor) -> Tensor:
        """Returns the product of x [b, i] with the weight [o, i] as [b, o], computed in the weight's type."""
        y = self.construct(self.cast(x, weight.dtype), weight)
        return self.cast(self.transpose(y, (1, 0)) if are_columns(x.shape[0]) else y, x.dtype)


class RowsFeedForward(nn.Cell):
    """Llama's feed-forward in two halves, so that the caller may set neurons to 0 in between.

    u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ), y = u · W2ᵀ; if `are_columns`, both have tokens in columns.
    """

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.silu = LlamaSiLU()
        self.product = RowsProduct()
        self.to_rows = P.MatMul(transpose_b=True)
        self.to_columns = P.MatMul()
        self.transpose = P.Transpose()

    def neurons(self, x: Tensor, w1: Tensor, w3: Tensor) -> Tensor:
        """Returns u for x [b, d], w1 [h, d] and w3 [h, d]: [h, b] if `are_columns`, else [b, h]."""
        return self.silu(self.product(x, w1)) * self.product(x, w3)

    def output(self, u: Tensor, w2: Tensor, rows: int) -> Tensor:
        """Returns y [b, d] for u, w2 [d, h] and b = `rows`."""
        if are_columns(rows):
            return self.transpose(self.to_columns(w2, u), (1, 0))
        return self.to_rows(u, w2)
