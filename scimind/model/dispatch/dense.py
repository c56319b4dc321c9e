"""The dense products of grouped dispatch, by `kernels`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.model._mindformers import LlamaSiLU
from scimind.model.cpu.feed_forward import Neurons, WholeFeedForward
from scimind.model.cpu.linear import Product


class PlainNeurons(nn.Cell):
    """u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ) in MindSpore's operators, with their automatic gradients.

    Args:
        inputs: d.
        neurons: h.
    """

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.silu = LlamaSiLU()
        self.product = P.MatMul(transpose_b=True)

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor) -> tuple[Tensor, ...]:
        """Returns u [t, h] for x [t, d], w1 [h, d] and w3 [h, d], in a tuple like the CPU's `Neurons`."""
        return (self.silu(self.product(x, w1)) * self.product(x, w3),)


class PlainFeedForward(nn.Cell):
    """y = u · W2ᵀ with u of `PlainNeurons`.

    Args:
        inputs: d.
        neurons: h.
    """

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.neurons = PlainNeurons(inputs, neurons)
        self.output = P.MatMul(transpose_b=True)

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor) -> tuple[Tensor, ...]:
        """Returns y [t, d] for x [t, d], w1 [h, d], w3 [h, d] and w2 [d, h], in a tuple like `WholeFeedForward`."""
        return (self.output(self.neurons(x, w1, w3)[0], w2),)


class DenseCells(NamedTuple):
    """Factories of dense cells without parameters.

    Args:
        neurons: Takes (d, h) and makes a cell of (x, w1, w3) whose first output is u.
        feed_forward: Takes (d, h) and makes a cell of (x, w1, w3, w2) whose first output is y.
        output: Makes a cell of (u [t, h], w2 [d, h]) that returns y [t, d].
    """

    neurons: Callable[[int, int], Any]
    feed_forward: Callable[[int, int], Any]
    output: Callable[[], Any]


DENSE_CELLS = {
    "cpu": DenseCells(Neurons, WholeFeedForward, partial(Product, wide=False)),
    "mindformers": DenseCells(PlainNeurons, PlainFeedForward, partial(P.MatMul, transpose_b=True)),
}
