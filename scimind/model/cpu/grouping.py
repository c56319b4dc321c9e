"""Tokens by group and back, and each group's part of a weight.

Two habits of MindSpore shape these cells. An argument that `construct` does not use is gone before `bprop` could use
it, so that what only the gradient needs is an output as well. And where arguments or outputs hold tuples, graph mode
hands `bprop` the gradients nested in the same way and wants them back so; pynative mode has them flat, both times.
"""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn
from mindspore.ops import operations as P
from mindspore.ops.composite import zeros_like


class Collect(nn.Cell):
    """Takes each group's tokens out of a batch. Every token is in one group, so that the gradient is a gather too."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = P.Gather()
        self.rows = P.Concat(0)
        self.minimum = P.Minimum()

    def construct(self, x: Tensor, positions: tuple[Tensor, ...], places: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Returns each group's tokens [n, d], and what the gradient needs.

        Args:
            x: [t, d].
            positions: Each group's tokens [n] int32; t, behind the last, stands for a row that nobody reads.
            places: Where each token is in the groups, one behind the other [t] int32.
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
    """Puts each group's tokens back to where `Collect` took them from."""

    def __init__(self) -> None:
        super().__init__()
        self.gather = P.Gather()
        self.rows = P.Concat(0)
        self.zeros = P.Zeros()

    def construct(
        self, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...], places: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns y [t, d] of each group's rows [n, d], and what the gradient needs; arguments as in `Collect`."""
        return self.gather(self.rows(groups), places, 0), positions

    def bprop(
        self, groups: tuple[Tensor, ...], positions: tuple[Tensor, ...], places: Tensor, out: tuple, dout: tuple
    ) -> tuple:
        """Returns the gradient of each group's rows, which is 0 for a row that nobody reads; and zeros for the plan."""
        change = dout[0]
        change = self.rows((change, self.zeros((1, change.shape[1]), change.dtype)))  # [t + 1, d]
        found: tuple[Tensor, ...] = ()
        for group in out[1]:
            found += (self.gather(change, group, 0),)
        if isinstance(dout[1], tuple):
            return found, zeros_of(positions), zeros_like(places)
        return *found, *zeros_of(positions), zeros_like(places)


class Parts(nn.Cell):
    """Cuts a weight into the neurons of each group. Groups may overlap, and may leave neurons out.

    The gradient is put together from pieces that lie between two boundaries of any group, without a matrix of zeros for
    each group.

    Args:
        groups: Each group's half-open runs of neurons, in order, none of them empty.
        total: h.
        axis: The weight's axis of neurons, 0 or 1.
    """

    def __init__(self, groups: Sequence[Sequence[tuple[int, int]]], total: int, axis: int) -> None:
        super().__init__()
        self.groups = tuple(tuple(group) for group in groups)
        self.total, self.axis = total, axis
        self.is_whole = self.groups == (((0, total),),)
        self.pieces = pieces_of(self.groups, total)
        self.slice = P.Slice()
        self.join = P.Concat(axis)
        self.zeros = P.Zeros()

    def construct(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Returns each group's part of the weight, [n, d] or [d, n], for [h, d] or [d, h]."""
        if self.is_whole:
            return (weight,)
        parts: tuple[Tensor, ...] = ()
        for group in self.groups:
            spans: tuple[Tensor, ...] = ()
            for first, last in group:
                spans += (self._cut(weight, first, last - first),)
            parts += (spans[0] if len(spans) == 1 else self.join(spans),)
        return parts

    def bprop(self, weight: Tensor, out: tuple[Tensor, ...], dout: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Returns the gradient of the weight: 0 for neurons of no group."""
        if self.is_whole:
            return (dout[0],)
        found: tuple[Tensor, ...] = ()
        for size, sources in self.pieces:
            if len(sources) == 0:
                shape = (size, weight.shape[1]) if self.axis == 0 else (weight.shape[0], size)
                total = self.zeros(shape, weight.dtype)
            else:
                total = self._cut(dout[sources[0][0]], sources[0][1], size)
                for group, start in sources[1:]:
                    total = total + self._cut(dout[group], start, size)
            found += (total,)
        return (found[0] if len(found) == 1 else self.join(found),)

    def _cut(self, weight: Tensor, start: int, size: int) -> Tensor:
        """Returns `size` rows or columns of the weight, from `start`."""
        rows, columns = weight.shape
        if self.axis == 0:
            return weight if size == rows else self.slice(weight, (start, 0), (size, columns))
        return weight if size == columns else self.slice(weight, (0, start), (rows, size))


def zeros_of(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Returns zeros for each of the tensors."""
    zeros: tuple[Tensor, ...] = ()
    for tensor in tensors:
        zeros += (zeros_like(tensor),)
    return zeros


def pieces_of(
    groups: Sequence[Sequence[tuple[int, int]]], total: int
) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """Returns the pieces into which all boundaries of all groups cut 0 … `total`.

    Args:
        groups: Each group's half-open runs, in order.
        total: End of the last piece.

    Returns:
        Each piece's size, and the groups that have it, with where it begins among the group's own.
    """
    bounds = sorted({0, total, *(bound for group in groups for run in group for bound in run)})
    pieces = []
    for first, last in zip(bounds, bounds[1:], strict=False):
        sources = []
        for number, group in enumerate(groups):
            before = 0
            for start, stop in group:
                if start <= first < stop:
                    sources.append((number, before + first - start))
                before += stop - start
        pieces.append((last - first, tuple(sources)))
    return tuple(pieces)
