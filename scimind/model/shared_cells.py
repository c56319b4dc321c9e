"""Cells that the layers of a model have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

CellFactory = Callable[..., Any]


def common_cells() -> CellFactory:
    """Returns a factory that makes each cell once, for all layers of a model that ask for it.

    It is called with the cell's class and its arguments, and is for cells without parameters. MindSpore reads every
    cell's Python by itself, and infers and differentiates it anew for every place that calls it with something else.
    One cell in all layers, called with tensors of the same shapes, is all of this once. A parameter is something else
    by its name, so that weights are cast on their way in, be it to the type that they have.
    """

    @cache
    def make(kind: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        return kind(*arguments, **more)

    return make
