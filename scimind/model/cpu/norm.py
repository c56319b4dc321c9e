"""Root mean square normalisation."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P


class RootMeanSquareNorm(nn.Cell):
    """y = x / sqrt(mean(x²) + ε) ⊙ g.

    A factor with one number per row is spread over the row by a product with a one-row matrix, which is cheaper than a
    broadcast; sums run over the last of two axes, which is much faster than the last of three.

    Args:
        size: d.
        eps: ε.

    Source: Root Mean Square Layer Normalization (Zhang and Sennrich, 2019), equation 4.
    """

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.size, self.eps, self.inverse = size, eps, 1.0 / size
        self.ones = Tensor(np.ones((1, size)), mstype.float32)
        self.sum = P.ReduceSum(keep_dims=True)
        self.rsqrt = P.Rsqrt()
        self.spread = P.MatMul()
        self.gather = P.MatMul(transpose_a=True)
        self.reshape = P.Reshape()

    def construct(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Returns y [t, d] for x [t, d] and the weight g [d], and the values that the gradient needs."""
        scale = self.rsqrt(self.sum(x * x, -1) * self.inverse + self.eps)  # [t, 1]
        return x * self.spread(scale, self.reshape(weight, (1, self.size))), scale

    def bprop(
        self, x: Tensor, weight: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Returns the gradients of x and of the weight."""
        change, scale = dout[0], out[1]
        parts = change * x
        along = self.spread(parts, self.reshape(weight, (self.size, 1)))  # [t, 1]
        of_weight = self.reshape(self.gather(scale, parts), (self.size,))
        inward = along * (scale * scale * scale) * self.inverse
        straight = change * self.spread(scale, self.reshape(weight, (1, self.size)))
        return straight - x * self.spread(inward, self.ones), of_weight
