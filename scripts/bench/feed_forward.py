"""One feed-forward layer: routed against MindFormers' dense one, and our masks against the original's algorithm.

Before anything is timed, the outputs, and with the backward pass the gradients of input and weights, are compared with
MindFormers' dense layer with inactive neurons set to 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from llama import ROUTED, SIZES, SMOKE, active_neurons, mindspore_facts, modality_ranges, token_rows
from pairs import Pair
from worker import Side, Work

from scimind.checkpoint.convert.sizes import ModelSizes

_TOKENS = 2048
_TIMES = 8  # computations of the layer per run
_ACTIVATION: dict[str, Any] = {
    "num_experts": 16,
    "router": "activation",
    "dispatch": "masked",
    "experts_per_token": {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2},
}


def pairs(*, smoke: bool) -> Iterator[Pair]:
    """Yields router `modality` against dense, without and with gradients, and `activation` against the original."""
    sizes = SMOKE if smoke else replace(SIZES, hidden_size=1024, intermediate_size=2752)
    tokens = 32 if smoke else _TOKENS
    for backward, at_least in ((False, 1.9), (True, 1.7)):
        given = {"sizes": sizes, "tokens": tokens, "backward": backward}
        work = "feed-forward, forward and backward" if backward else "feed-forward, forward"
        ours = Side("SciMind, router modality", Layer, {**given, "kind": "routed", "routing": ROUTED})
        dense = Side("MindFormers, dense", Layer, {**given, "kind": "dense", "routing": ROUTED})
        reference = Side("MindFormers, masked", Layer, {**given, "kind": "reference", "routing": ROUTED})
        yield Pair(work, ours, dense, at_least, checked=(ours, reference), details=given)
    given = {"sizes": sizes, "tokens": tokens, "backward": False, "routing": _ACTIVATION}
    ours = Side("SciMind, router activation, masked", Layer, {**given, "kind": "routed"})
    original = Side("the original's algorithm", Layer, {**given, "kind": "original"})
    yield Pair("feed-forward, forward", ours, original, 3.0, extra_memory_at_least=5.0, details=given)


class Layer(Work):
    """A layer of one kind, with the same weights, input and tokens as any other kind.

    Args:
        kind: "routed", "dense" (MindFormers'), "reference" (dense, then masked), or "original".
        sizes: d, h and the vocabulary.
        tokens: t, the first half of them SMILES.
        routing: Routing settings.
        backward: Whether the gradients of input and weights are also computed.
    """

    def __init__(self, kind: str, sizes: ModelSizes, tokens: int, routing: Mapping[str, Any], backward: bool) -> None:
        import mindspore as ms

        ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
        from layers import Gradient, Once, Repeated, build_layer

        ids = token_rows(sizes, 1, tokens)
        active = active_neurons(sizes, routing)[ids[0]] if kind == "reference" else None  # [t, h]
        layer = build_layer(kind, sizes, {**routing, "modality_ranges": modality_ranges(sizes)}, active)
        random = np.random.default_rng(5)
        self.parameters = sorted(layer.trainable_params(), key=lambda parameter: parameter.name)
        for parameter in self.parameters:
            values = random.standard_normal(parameter.shape) * parameter.shape[-1] ** -0.5
            parameter.set_data(ms.Tensor(values.astype(np.float32)))
        self.x = ms.Tensor(random.standard_normal((1, tokens, sizes.hidden_size)).astype(np.float32))
        self.change = ms.Tensor(random.standard_normal(self.x.shape).astype(np.float32))
        self.ids = ms.Tensor(ids)
        self.arguments = (self.ids, self.x, self.change) if backward else (self.ids, self.x)
        work = Gradient(layer, self.parameters) if backward else layer
        self.once, self.repeated = Once(work), Repeated(work)
        self.times = ms.Tensor([_TIMES], ms.int32)
        self.backward = backward

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the output and, with the backward pass, the gradients of input and weights."""
        found = self.once(*self.arguments)
        if not self.backward:
            return {"output": found.asnumpy()}
        output, of_x, of_parameters = found
        names = [parameter.name for parameter in self.parameters]
        arrays = {"output": output, "x": of_x, **dict(zip(names, of_parameters, strict=True))}
        return {name: array.asnumpy() for name, array in arrays.items()}

    def run(self) -> None:
        """Computes the layer several times in a row."""
        self.repeated(self.times, *self.arguments).asnumpy()  # waits

    def facts(self) -> dict[str, str]:
        """Returns versions and threads."""
        return mindspore_facts()
