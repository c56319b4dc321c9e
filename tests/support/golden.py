"""The original's reference outputs, and the model that must reproduce them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.support.shared import shared_file

RANGES = {"smiles": [32000, 32066], "nucleotide": [32066, 32071], "protein": [32071, 32098]}
TEXT_14_ELSE_2 = {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2}
# What the released code adds by mistake: the first experts of an all-zero score on MindSpore's CPU.
SHARED = {
    "intended": None,
    "released": {"text": [10, 11], "smiles": ["0..13"], "nucleotide": ["0..13"], "protein": ["0..13"]},
}


@dataclass
class GoldenCase:
    """A reference file, with its weights drawn again."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    weights: dict[str, np.ndarray]


def golden_case(variant: str, *, expert_order: bool = True) -> GoldenCase:
    """Returns the case `intended` or `released`, with neurons in the order of the experts or of the original."""
    stored = np.load(shared_file(f"golden/dev_{variant}.npz"))
    meta = json.loads(str(stored["meta"]))
    d, h, v = meta["dim"], meta["intermediate"], meta["vocab"]
    state = np.random.RandomState(meta["seed"])
    experts = [state.permutation(np.repeat(np.arange(16), h // 16)) for _ in range(meta["layers"])]
    assert (np.stack(experts) == stored["expert_of_neuron"]).all()
    weights = {}
    for name in meta["param_order"]:
        if "norm" in name:
            weights[name] = (1 + 0.1 * state.standard_normal((d,))).astype(np.float32)
            continue
        shape = (h, d) if ".w1." in name or ".w3." in name else (d, h) if ".w2." in name else (d, d)
        shape = (v, d) if "embedding" in name or "lm_head" in name else shape
        scale = 1.0 if "embedding" in name else 1 / np.sqrt(shape[-1])
        weights[name] = (state.standard_normal(shape) * scale).astype(np.float32)
    for layer, of_neuron in enumerate(experts if expert_order else []):
        order = np.argsort(of_neuron, kind="stable")
        prefix = f"model.layers.{layer}.feed_forward."
        weights[prefix + "w1.weight"] = weights[prefix + "w1.weight"][order]
        weights[prefix + "w3.weight"] = weights[prefix + "w3.weight"][order]
        weights[prefix + "w2.weight"] = weights[prefix + "w2.weight"][:, order]
    return GoldenCase({name: stored[name] for name in stored.files if name != "meta"}, meta, weights)
