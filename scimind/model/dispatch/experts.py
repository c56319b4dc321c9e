"""Tokens by expert, if a token uses several of them; see `scimind.model.dispatch.groups` for the form of `bprop`."""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P
from mindspore.ops.composite import zeros_like

from scimind.model.dispatch.groups import zeros_of


class TokensOfExperts(nn.Cell):
    """Finds the tokens of each expert.

    MindSpore leaves the result of a product over no rows uninitialised, and a weight's gradient is such a product. So
    an expert without tokens gets a substitute: the row after the last one, which is zero wherever rows are taken.

    Args:
        num_experts: e.
    """

    def __init__(self, num_experts: int) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.nonzero = P.NonZero()
        self.reshape = P.Reshape()
        self.cast = P.Cast()
        self.sum = P.ReduceSum(keep_dims=True)
        self.rows = P.Concat(0)

    def construct(self, active: Tensor) -> tuple[Tensor, ...]:
        """Returns the positions [n] int32 of each expert's tokens for the active experts [t, e] bool."""
        count = self.sum(self.cast(active, mstype.float32), 0)  # [1, e]
        active = self.rows((active, count < 0.5))  # [t + 1, e]
        found: tuple[Tensor, ...] = ()
        for expert in range(self.num_experts):
            found += (self.cast(self.reshape(self.nonzero(active[:, expert]), (-1,)), mstype.int32),)
        return found


class TakeTokens(nn.Cell):
    """Takes each expert's tokens out of a batch; the gradient sums over the experts of a token."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = P.Gather()
        self.rows = P.Concat(0)
        self.zeros = P.Zeros()
        self.minimum = P.Minimum()
        self.column = P.ExpandDims()
        self.add_at = P.TensorScatterAdd()

    def construct(self, x: Tensor, positions: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Returns each expert's tokens [n, d] of x [t, d], which is followed by a row of zeros; and the positions."""
        x = self.rows((x, self.zeros((1, x.shape[1]), x.dtype)))
        found: tuple[Tensor, ...] = ()
        for expert in positions:
            found += (self.gather(x, expert, 0),)
        return found, positions

    def bprop(self, x: Tensor, positions: tuple[Tensor, ...], out: tuple, dout: tuple) -> tuple:
        """Returns the gradient of x, and zeros for the positions."""
        if isinstance(dout[0], tuple):
            return self.add_up(zeros_like(x), dout[0], out[1]), zeros_of(positions)
        return self.add_up(zeros_like(x), dout[: len(positions)], out[1]), *zeros_of(positions)

    def add_up(self, total: Tensor, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...]) -> Tensor:
        """Returns the total [t, d] with each group's rows added; the row after the last token has only zeros."""
        for i in range(len(positions)):
            expert = self.column(self.minimum(positions[i], total.shape[0] - 1), 1)  # [n, 1]
            total = self.add_at(total, expert, groups[i])
        return total


class AddUp(nn.Cell):
    """Sums the outputs of a token's experts: the counterpart of `TakeTokens`."""

    def __init__(self) -> None:
        super().__init__()
        self.take = TakeTokens()
        self.gather = P.Gather()
        self.minimum = P.Minimum()

    def construct(self, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...], start: Tensor) -> tuple:
        """Returns the sum of `start` [t, d], a constant, and each expert's rows [n, d]; and the positions."""
        return self.take.add_up(start, groups, positions), positions

    def bprop(
        self, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...], start: Tensor, out: tuple, dout: tuple
    ) -> tuple:
        """Returns the gradient of each expert's rows, and zeros for the rest."""
        found: tuple[Tensor, ...] = ()
        for expert in out[1]:
            # A substitute row gets another row's gradient, without effect: its neurons are zero.
            found += (self.gather(dout[0], self.minimum(expert, dout[0].shape[0] - 1), 0),)
        if isinstance(dout[1], tuple):
            return found, zeros_of(positions), zeros_like(start)
        return *found, *zeros_of(positions), zeros_like(start)


class UnitWeight(nn.Cell):
    """Multiplies by a weight that is 1 but has a gradient (see `scimind.model.routing.gate.Gate`)."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = P.ReduceSum()

    def construct(self, u: Tensor, weight: Tensor) -> Tensor:
        """Returns u [n, f]; the weight [n] is 1."""
        return u

    def bprop(self, u: Tensor, weight: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the gradients of u and of the weight."""
        return dout, self.sum(dout * u, -1)
