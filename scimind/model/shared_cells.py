"""Cells that the layers of a model have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from mindspore import nn

_Cell = TypeVar("_Cell", bound=nn.Cell)


class CommonCells:
    """Makes each cell once, for all layers of a model that ask for it; for cells without parameters.

    MindSpore reads every cell's Python by itself, and infers and differentiates it anew for every place that calls it
    with something else. One cell in all layers, called with tensors of the same shapes, is all of this once. A
    parameter is something else by its name, so that weights are cast on their way in, be it to the type that they have.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, nn.Cell] = {}

    def __call__(self, kind: Callable[..., _Cell], *arguments: Hashable, **more: Hashable) -> _Cell:
        """Returns the cell of a class with these arguments."""
        key = (kind, arguments, tuple(sorted(more.items())))
        if key not in self._made:
            self._made[key] = kind(*arguments, **more)
        return self._made[key]
