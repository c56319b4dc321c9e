"""Which experts each token of a text uses, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.modality import modality_table


def experts_used(model: Any, ids: Sequence[int]) -> NDArray[np.bool_]:
    """Returns whether a token uses an expert, bool [layers, tokens, experts].

    Args:
        model: A SciMindForCausalLM on a CPU, in evaluation mode.
        ids: Token ids [tokens], BOS first.
    """
    routing, tokens, layers = model.config.routing, np.asarray(ids, np.int32), int(model.config.num_layers)
    if routing.router == "modality":  # the same in every layer, and known without computing
        from scimind.modality import MODALITY_NAMES

        of_modality = np.zeros((len(MODALITY_NAMES), routing.num_experts), bool)
        for number, name in enumerate(MODALITY_NAMES):
            of_modality[number, list(routing.expert_sets[name])] = True
        modalities = modality_table(model.config.vocab_size, routing.modality_ranges)[tokens]
        return np.repeat(of_modality[modalities][None], layers, axis=0)
    import mindspore as ms

    mode = ms.get_context("mode")
    ms.set_context(mode=ms.PYNATIVE_MODE)  # otherwise each cell below would be compiled by itself
    try:
        return np.stack(list(_chosen(model.model, tokens[None])))
    finally:
        ms.set_context(mode=mode)


def _chosen(model: Any, ids: NDArray[np.int32]) -> Any:
    """Yields the choice of each layer's router [tokens, experts] for ids [1, s], one layer after another."""
    import mindspore as ms

    tokens = ms.Tensor(ids)
    tables, mask, plan = model.positions(*ids.shape), model.casual_mask(tokens), model.planner(tokens)
    h = model.embed(tokens, None)  # [1, s, d]
    for layer in model.layers:
        feed_forward = layer.feed_forward
        h = layer.attend(h, tables, mask, (None, None, None, None, None))
        x = layer.normalise(h)
        u = feed_forward.neuron_outputs(x)  # [t, e, f]
        chosen = feed_forward.gate.choose(x.reshape(-1, x.shape[-1]), u, plan)
        yield chosen.asnumpy().astype(bool)
        change = feed_forward(x, plan)
        h = layer.add_residual(h, change[0] if layer.has_balance else change)
