"""The network that turns token ids into pooled hidden states."""

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.errors import SciMindError
from scimind.runtime.graph_cache import KeptGraph

_NO_CACHE = (None, None, None, None, None)


class PooledStates(KeptGraph, nn.Cell):
    """Returns weighted sums of hidden states over the positions of each row, float32 [b, d].

    Args:
        model: A SciMindForCausalLM.
        layer: Whose output: 0 for the embeddings, n for the n-th layer; the last one is normalised, as the output
            matrix gets it.
    """

    is_steady = True

    def __init__(self, model: Any, layer: int) -> None:
        super().__init__(auto_prefix=False)
        self.model, self.layer = model.model, layer
        self.layers = nn.CellList(list(model.model.layers)[:layer], auto_prefix=False)
        self.is_last = layer == model.config.num_layers
        self.has_balance = model.model.has_balance
        key = getattr(model, "graph_key", None)
        self.graph_key = None if key is None else f"{key} layer {layer}"
        self.product = P.BatchMatMul()
        self.reshape = P.Reshape()
        self.cast = P.Cast()

    def construct(self, ids: Tensor, weights: Tensor) -> Tensor:
        """Returns the sums for ids [b, s] and the weights of their positions [b, 1, s] float32."""
        b, s = ids.shape
        model = self.model
        h = model.embed(ids, None)  # [b, s, d]
        if self.layer > 0:
            tables, mask, plan = model.positions(b, s), model.casual_mask(ids), model.planner(ids)
            for layer in self.layers:
                h = layer(h, tables, mask, plan, _NO_CACHE)
                if self.has_balance:
                    h = h[0]
        if self.is_last:
            h = model.normalise(h)
        return self.reshape(self.product(weights, self.cast(h, ms.float32)), (b, -1))


def layer_number(layer: int, num_layers: int) -> int:
    """Returns the number of a layer, counted from the end if it is negative, as `PooledStates` takes it.

    Raises:
        SciMindError: The model does not have that layer.
    """
    number = layer + num_layers + 1 if layer < 0 else layer
    if not 0 <= number <= num_layers:
        raise SciMindError(
            f"layer ({layer}) must be 0 (the embeddings) to {num_layers} (the last layer), or negative to count from "
            "the end"
        )
    return number
