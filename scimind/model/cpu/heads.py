"""Heads from the columns of a token to an axis of their own, and back."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P


class Heads(nn.Cell):
    """Moves heads between columns [t, heads·p] and an axis in front, as rows [heads·t, p].

    A gather of rows, since `Transpose` on a CPU keeps an index of 8 bytes for each number, for as long as its graph
    lives, and takes longer.

    Args:
        head_dim: p.
    """

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.gather = P.Gather()
        self.reshape = P.Reshape()

    def first(self, x: Tensor, heads: int, parts: int = 1) -> Tensor:
        """Returns x [t, heads·p] as [parts·heads·(t / parts), p], heads first within each of the tokens' parts."""
        rows = self.reshape(x, (-1, self.head_dim))  # [t·heads, p]
        return self.gather(rows, swapped_rows(parts, x.shape[0] // parts, heads), 0)

    def last(self, x: Tensor, heads: int, parts: int = 1) -> Tensor:
        """Returns what `first` gave, of any shape, as [t, heads·p]."""
        rows = self.reshape(x, (-1, self.head_dim))
        x = self.gather(rows, swapped_rows(parts, heads, rows.shape[0] // heads // parts), 0)  # [t·heads, p]
        return self.reshape(x, (-1, heads * self.head_dim))


@ops.constexpr
def swapped_rows(parts: int, m: int, n: int) -> Tensor:
    """Returns where the rows of [parts, n, m] stand in [parts, m, n], int32 [parts·n·m]."""
    return Tensor(np.arange(parts * m * n).reshape(parts, m, n).transpose(0, 2, 1).reshape(-1), mstype.int32)
