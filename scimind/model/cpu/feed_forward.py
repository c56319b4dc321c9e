"""Llama's feed-forward in plain operators, with memory-saving gradients."""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.ops import operations as P
from mindspore.ops.auto_generate import SigmoidGrad

from scimind.model.cpu.linear import Product


class Neurons(nn.Cell):
    """u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ), with a gradient that keeps only a and b.

        g = a ⊙ σ(a),  u = g ⊙ b                                       a = x · W1ᵀ,  b = x · W3ᵀ
        da = du ⊙ b ⊙ (σ(a) + a ⊙ σ′(a)),  db = du ⊙ g

    Args:
        inputs: d.
        neurons: h, rows of both weights.

    Source: GLU Variants Improve Transformer (Shazeer, 2020), equation 6.
    """

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.product = Product(wide=is_slow_left(neurons, inputs))
        self.sigmoid = P.Sigmoid()
        self.sigmoid_slope = SigmoidGrad()
        self.to_input = P.MatMul()
        self.depend = P.Depend()

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor) -> tuple[Tensor, ...]:
        """Returns u [t, h] of x [t, d], w1 [h, d] and w3 [h, d]; and the values that the gradient needs."""
        a = self.product(x, w1)
        gate = a * self.sigmoid(a)
        b = self.product(self.depend(x, gate), w3)  # after the sigmoid, which is as large, has been freed
        return gate * b, a, b

    def bprop(
        self, x: Tensor, w1: Tensor, w3: Tensor, out: tuple[Tensor, ...], dout: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the gradients of x and of both weights."""
        _, a, b = out
        gate, slope = self.again(a, dout[0])
        return self.gradients(x, w1, w3, dout[0] * b * slope, dout[0] * gate)

    def again(self, a: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """Returns g and ∂g/∂a [t, h], recomputed: keeping either would take as much memory as u.

        Depending on the gradient `change` stops the compiler from reusing, and thus keeping, the first computation.
        """
        sigmoid = self.sigmoid(self.depend(a, change))
        return a * sigmoid, self.sigmoid_slope(sigmoid, a) + sigmoid

    def gradients(self, x: Tensor, w1: Tensor, w3: Tensor, of_a: Tensor, of_b: Tensor) -> tuple[Tensor, ...]:
        """Returns the gradients of x and of both weights, given those of a and b."""
        of_x = self.to_input(of_a, w1) + self.to_input(of_b, w3)
        return of_x, self.product.weight_gradient(x, of_a), self.product.weight_gradient(x, of_b)


class WholeFeedForward(nn.Cell):
    """y = u · W2ᵀ with u from `Neurons`, which is not kept for the gradient.

    Args:
        inputs: d.
        neurons: h.
    """

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.neurons, self.output = Neurons(inputs, neurons), Product(wide=False)

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor) -> tuple[Tensor, ...]:
        """Returns y [t, d] of x [t, d], w1 [h, d], w3 [h, d] and w2 [d, h]; and the values that the gradient needs."""
        u, a, b = self.neurons(x, w1, w3)
        return self.output(u, w2), a, b

    def bprop(
        self,
        x: Tensor,
        w1: Tensor,
        w3: Tensor,
        w2: Tensor,
        out: tuple[Tensor, ...],
        dout: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Returns the gradients of x and of the weights."""
        _, a, b = out
        change = self.output.to_input(dout[0], w2)
        gate, slope = self.neurons.again(a, change)
        of_w2 = self.output.weight_gradient(gate * b, dout[0])
        return *self.neurons.gradients(x, w1, w3, change * b * slope, change * gate), of_w2


def is_slow_left(columns: int, others: int) -> bool:
    """Whether a matrix x with `columns` columns is a slow left factor of xᵀ · y, where y has `others` columns.

    A transposed left factor is read column by column. If its rows are a multiple of 4 KiB apart, they map to the same
    cache lines, and the wider factor suffers more.
    """
    return columns % 1024 == 0 and columns > others
