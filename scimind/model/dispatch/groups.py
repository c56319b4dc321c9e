"""Sorting tokens into groups and back.

Two properties of MindSpore shape these cells. An argument that `construct` does not use is dropped before `bprop` can
use it, so whatever only the gradient needs is also an output. And if arguments or outputs contain tuples, graph mode
passes gradients to `bprop`, and expects them back, with the same nesting, whereas pynative mode flattens both.
"""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.ops import operations as P
from mindspore.ops.composite import zeros_like


class Collect(nn.Cell):
    """Takes each group's tokens out of a batch. Every token is in one group, so the gradient is a gather too."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = P.Gather()
        self.rows = P.Concat(0)
        self.minimum = P.Minimum()

    def construct(self, x: Tensor, positions: tuple[Tensor, ...], places: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Returns each group's tokens [n, d], and the values that the gradient needs.

        Args:
            x: [t, d].
            positions: Each group's tokens [n] int32; t, one past the last, denotes a row that is never read.
            places: Each token's place in the concatenated groups [t] int32.
        """
        found: tuple[Tensor, ...] = ()
        for group in positions:
            found += (self.gather(x, self.minimum(group, x.shape[0] - 1), 0),)
        return found, places

    def bprop(self, x: Tensor, positions: tuple[Tensor, ...], places: Tensor, out: tuple, dout: tuple) -> tuple:
        """Returns the gradient of x, and zeros for the plan."""
        if isinstance(dout[0], tuple):
            return self.gather(self.rows(dout[0]), out[1], 0), zeros_of(positions), zeros_like(places)
        return self.gather(self.rows(dout[:-1]), out[1], 0), *zeros_of(positions), zeros_like(places)


class Spread(nn.Cell):
    """Returns each group's tokens to the positions from which `Collect` took them."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = P.Gather()
        self.rows = P.Concat(0)
        self.zeros = P.Zeros()

    def construct(
        self, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...], places: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns y [t, d] from each group's rows [n, d], and the gradient's values; arguments as in `Collect`."""
        return self.gather(self.rows(groups), places, 0), positions

    def bprop(
        self, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...], places: Tensor, out: tuple, dout: tuple
    ) -> tuple:
        """Returns the gradient of each group's rows, 0 for a row that is never read, and zeros for the plan."""
        change = dout[0]
        change = self.rows((change, self.zeros((1, change.shape[1]), change.dtype)))  # [t + 1, d]
        found: tuple[Tensor, ...] = ()
        for group in out[1]:
            found += (self.gather(change, group, 0),)
        if isinstance(dout[1], tuple):
            return found, zeros_of(positions), zeros_like(places)
        return *found, *zeros_of(positions), zeros_like(places)


def zeros_of(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Returns zeros for each of the tensors."""
    zeros: tuple[Tensor, ...] = ()
    for tensor in tensors:
        zeros += (zeros_like(tensor),)
    return zeros
