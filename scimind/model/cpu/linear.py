"""Products with a weight matrix."""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.ops import operations as P


class Product(nn.Cell):
    """y = x · Wᵀ, with the factors of the weight's gradient in the order that is fastest on a CPU.

    A product whose left factor is both transposed and wide takes twice as long as the other order, so the gradient of a
    weight with more rows than columns is computed transposed.

    Args:
        wide: Whether the weight has more rows than columns.
    """

    def __init__(self, *, wide: bool) -> None:
        super().__init__()
        self.wide = wide
        self.product = P.MatMul(transpose_b=True)
        self.to_input = P.MatMul()
        self.to_weight = P.MatMul(transpose_a=True)
        self.transpose = P.Transpose()

    def construct(self, x: Tensor, weight: Tensor) -> Tensor:
        """Returns y [t, o] for x [t, i] and the weight [o, i]."""
        return self.product(x, weight)

    def bprop(self, x: Tensor, weight: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the gradients of x and of the weight."""
        return self.to_input(dout, weight), self.weight_gradient(x, dout)

    def weight_gradient(self, x: Tensor, dout: Tensor) -> Tensor:
        """Returns the gradient of the weight [o, i] for x [t, i] and the gradient of y [t, o]."""
        if self.wide:
            return self.transpose(self.to_weight(x, dout), (1, 0))
        return self.to_weight(dout, x)
