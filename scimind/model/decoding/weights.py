"""Weights in the form that the products of a step take."""

from __future__ import annotations

from mindspore import Parameter, ParameterTuple, Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.decoding.shared import DecodingParts
from scimind.model.dispatch.neuron_slices import NeuronSlices
from scimind.runtime.graph_cache import KeptGraph

MOST_JOINED = 64 << 20  # bytes of weights that are copied in order to join them


class StepWeights(KeptGraph, nn.Cell):
    """Copies of weights, refreshed by each call: those of the neurons in use, and the attention's joined projections.

    A small product takes longer to launch than to compute, so one product is faster than three. For large weights the
    gain is not worth the memory of the copies.

    Args:
        parts: The model's components.
        spans: Half-open runs of the neurons that a step computes; empty for all of them, which are not copied.
        name: Name of this set of neurons.

    Attributes:
        joins: Whether there are `projections`.
        projections: Each layer's weights of queries, keys and values, stacked [(n + 2 · n_kv)·p, d].
        w1: Each layer's W1 [neurons, d].
        w3: Each layer's W3 [neurons, d].
        w2: Each layer's W2 [d, neurons].
    """

    is_steady = True

    def __init__(self, parts: DecodingParts, spans: tuple[tuple[int, int], ...], name: str) -> None:
        super().__init__(auto_prefix=False)
        self.graph_key = parts.graph_key and f"{parts.graph_key} weights of {name}"
        self.parts, self.name = parts, name
        d, neurons = parts.hidden_size, sum(last - first for first, last in spans)
        rows = (parts.num_heads + 2 * parts.num_kv_heads) * parts.head_dim
        self.joins = not parts.has_bias and len(parts.layers) * rows * d * parts.dtype.itemsize <= MOST_JOINED
        self.cuts = neurons > 0
        self.projections = self._zeros("projections", (rows, d)) if self.joins else ()
        self.w1 = self._zeros("w1", (neurons, d)) if self.cuts else ()
        self.w3 = self._zeros("w3", (neurons, d)) if self.cuts else ()
        self.w2 = self._zeros("w2", (d, neurons)) if self.cuts else ()
        self.rows, self.columns = (NeuronSlices((spans,), parts.intermediate_size, axis) for axis in (0, 1))
        self.below = P.Concat(0)
        self.assign = P.Assign()
        self.cast = P.Cast()

    @property
    def are_copies(self) -> bool:
        """Whether there is anything to copy."""
        return self.joins or self.cuts

    def construct(self) -> Tensor:
        """Copies the current weights; returns the number of layers, int32 []."""
        dtype = self.parts.dtype
        for i in range(len(self.parts.layers)):
            layer = self.parts.layers[i].layer
            if self.joins:
                of = layer.attention
                joined = self.below((of.wq.weight, of.wk.weight, of.wv.weight))
                self.assign(self.projections[i], self.cast(joined, dtype))
            if self.cuts:
                whole = layer.feed_forward
                self.assign(self.w1[i], self.cast(self.rows(whole.w1.weight)[0], dtype))
                self.assign(self.w3[i], self.cast(self.rows(whole.w3.weight)[0], dtype))
                self.assign(self.w2[i], self.cast(self.columns(whole.w2.weight)[0], dtype))
        return Tensor(len(self.parts.layers), mstype.int32)

    def _zeros(self, kind: str, shape: tuple[int, int]) -> ParameterTuple:
        names = [f"{kind} of {self.name}.{i}" for i in range(len(self.parts.layers))]
        zeros = [Parameter(ops.zeros(shape, self.parts.dtype), name=name, requires_grad=False) for name in names]
        return ParameterTuple(zeros)
