"""Cells that the layers of a model share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

CellFactory = Callable[..., Any]


def common_cells() -> CellFactory:
    """Returns a factory that makes each cell once for all layers of a model.

    It is called with the cell's class and its arguments, and only for cells without parameters. MindSpore parses every
    cell's Python separately, and infers and differentiates it again for every call with other kinds of arguments. If
    all layers share one cell and call it with tensors of the same shapes, all of this happens once. Since parameters
    differ by name, weights are cast before they are passed, if necessary to the type that they already have.
    """

    @cache
    def make(kind: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        return kind(*arguments, **more)

    return make
