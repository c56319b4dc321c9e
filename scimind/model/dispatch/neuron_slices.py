"""Slicing each group's neurons out of a weight."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn
from mindspore.ops import operations as P


class NeuronSlices(nn.Cell):
    """Slices the neurons of each group out of a weight. Groups may overlap and may omit neurons.

    The gradient is assembled from the pieces between neighbouring boundaries of all groups, without a matrix of zeros
    for each group.

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
        """Returns the gradient of the weight: 0 for neurons that are in no group."""
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


def pieces_of(
    groups: Sequence[Sequence[tuple[int, int]]], total: int
) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """Returns the pieces into which the boundaries of all groups divide 0 … `total`.

    Args:
        groups: Each group's half-open runs, in order.
        total: End of the last piece.

    Returns:
        Each piece's size, and the groups that contain it, with its offset among the group's neurons.
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
