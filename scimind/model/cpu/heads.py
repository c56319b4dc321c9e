"""Moving heads from the columns of a token to a separate axis, and back."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P


class Heads(nn.Cell):
    """Moves heads between columns [t, heads·p] and a leading axis, as rows [heads·t, p].

    This gathers rows, since on a CPU `Transpose` is slower and keeps an 8-byte index per number for as long as its
    graph lives.

    Args:
        head_dim: p.
    """

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.gather = P.Gather()
        self.reshape = P.Reshape()

    def first(self, x: Tensor, heads: int, parts: int = 1) -> Tensor:
        """Returns x [t, heads·p] as [parts·heads·(t / parts), p], heads first within each part of the tokens."""
        rows = self.reshape(x, (-1, self.head_dim))  # [t·heads, p]
        return self.gather(rows, swapped_rows(parts, x.shape[0] // parts, heads), 0)

    def last(self, x: Tensor, heads: int, parts: int = 1) -> Tensor:
        """Returns what `first` returned, in any shape, as [t, heads·p]."""
        rows = self.reshape(x, (-1, self.head_dim))
        x = self.gather(rows, swapped_rows(parts, heads, rows.shape[0] // heads // parts), 0)  # [t·heads, p]
        return self.reshape(x, (-1, heads * self.head_dim))


@ops.constexpr
def swapped_rows(parts: int, m: int, n: int) -> Tensor:
    """Returns the positions of the rows of [parts, n, m] in [parts, m, n], int32 [parts·n·m]."""
    return Tensor(np.arange(parts * m * n).reshape(parts, m, n).transpose(0, 2, 1).reshape(-1), mstype.int32)
