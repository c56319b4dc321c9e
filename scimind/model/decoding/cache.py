"""The cache of the previous tokens' keys and values."""

from __future__ import annotations

import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.runtime.graph_cache import KeptGraph


class KeyValueCache(KeptGraph, nn.Cell):
    """Keys and values of the tokens so far, for a fixed batch size and length.

    Args:
        num_layers: Layers.
        shape: [b·n_kv, l, p].
        dtype: Type of keys and values.
        graph_key: See `KeptGraph`.
    """

    is_steady = True

    def __init__(self, num_layers: int, shape: tuple[int, int, int], dtype: mstype, graph_key: str | None) -> None:
        super().__init__(auto_prefix=False)
        self.shape, self.graph_key = shape, graph_key
        self.keys = ParameterTuple([self._zeros("key", i, dtype) for i in range(num_layers)])
        self.values = ParameterTuple([self._zeros("value", i, dtype) for i in range(num_layers)])
        self.assign = P.Assign()

    def construct(self, *contents: Tensor) -> Tensor:
        """Replaces the cache by `contents`, each layer's keys and values in turn; returns their number, int32 [].

        Graphs that read the cache see an assignment by a graph, but not `Parameter.set_data` after their first call.
        """
        for i in range(len(self.keys)):
            self.assign(self.keys[i], contents[2 * i])
            self.assign(self.values[i], contents[2 * i + 1])
        return Tensor(len(contents), mstype.int32)

    def _zeros(self, kind: str, layer: int, dtype: mstype) -> Parameter:
        name = f"{kind}_cache.{self.shape[0]}x{self.shape[1]}.{layer}"
        return Parameter(Tensor(np.zeros(self.shape), dtype), name=name, requires_grad=False)


class WriteTokens(nn.Cell):
    """Writes one token's keys or values into each row of a cache, without touching the rest.

    On a CPU, `ScatterNdUpdate` copies the whole cache onto itself. `UpdateCache` does not; but MindSpore 2.9 deprecates
    it, and its kernel writes nothing for types other than float32, so it is used for float32 only.

    Args:
        shape: Shape of the cache [b·n_kv, l, p].
        dtype: Type of the cache.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: mstype) -> None:
        super().__init__(auto_prefix=False)
        rows, length, self.size = shape
        self.in_place = dtype == mstype.float32
        self.rows = Tensor(np.arange(rows)[:, None], mstype.int32)
        self.starts = Tensor(np.arange(rows) * length, mstype.int32)
        self.places = rows * length
        # Without this attribute the compiler does not know that the operator writes, and removes it.
        self.write = P.UpdateCache().add_prim_attr("side_effect_mem", True) if self.in_place else P.ScatterNdUpdate()
        self.concat = P.Concat(-1)
        self.reshape = P.Reshape()

    def at(self, positions: Tensor) -> Tensor:
        """Returns where `construct` writes, given a position in each row [b·n_kv] int32."""
        if self.in_place:
            return self.starts + positions
        return self.concat((self.rows, self.reshape(positions, (-1, 1))))

    def construct(self, cache: Parameter, places: Tensor, x: Tensor) -> Tensor:
        """Returns the cache after writing x [b, n_kv·p] at `places`."""
        x = self.reshape(x, (-1, self.size))
        if self.in_place:
            self.write(cache, places, x, self.places)
            return cache
        return self.write(cache, places, x)
