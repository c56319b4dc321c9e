"""Small models for tests, and helpers to run them."""

from __future__ import annotations

from typing import Any

import mindspore as ms
import numpy as np

from scimind.model import SciMindConfig, SciMindForCausalLM

CPU_TYPES = {
    "compute_dtype": "float32",
    "param_init_type": "float32",
    "layernorm_compute_type": "float32",
    "softmax_compute_type": "float32",
    "rotary_dtype": "float32",
    "use_flash_attention": False,
    "fused_rms_norm": False,
    "use_rope_slice": True,
}
RANGES = {"smiles": [40, 52], "nucleotide": [52, 55], "protein": [55, 62]}
SMALL = {
    "batch_size": 2,
    "seq_length": 16,
    "hidden_size": 32,
    "num_layers": 2,
    "num_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 64,
    "num_experts": 8,
    "modality_ranges": RANGES,
    "init_method_std": 0.2,
}


def use_mode(mode: str) -> None:
    """Switches MindSpore to "graph" or "pynative" on the CPU."""
    # One thread: tests run in parallel, and busy-waiting threads would take cores from other tests.
    graph_or_not = ms.GRAPH_MODE if mode == "graph" else ms.PYNATIVE_MODE
    ms.set_context(mode=graph_or_not, device_target="CPU", runtime_num_threads=1)


def build(weights: dict[str, np.ndarray] | None = None, seed: int = 1, **settings: Any) -> SciMindForCausalLM:
    """Returns a small float32 model, with the given weights or with random ones from `seed`."""
    ms.set_seed(seed)
    model = SciMindForCausalLM(SciMindConfig(**{**SMALL, **CPU_TYPES, **settings}))
    if weights is not None:
        load(model, weights)
    return model


def load(model: SciMindForCausalLM, weights: dict[str, np.ndarray]) -> None:
    """Loads `weights` into the model; all weights must be present, with the right shapes."""
    parameters = {p.name: p for p in model.get_parameters() if "_cache" not in p.name}
    assert sorted(parameters) == sorted(weights)
    for name, parameter in parameters.items():
        assert parameter.shape == weights[name].shape, name
        parameter.set_data(ms.Tensor(weights[name], parameter.dtype))


def weights_of(model: SciMindForCausalLM) -> dict[str, np.ndarray]:
    """Returns a copy of the model's weights."""
    return {p.name: p.asnumpy().copy() for p in model.get_parameters() if "_cache" not in p.name}


def logits(model: SciMindForCausalLM, ids: np.ndarray) -> np.ndarray:
    """Returns logits [b, s, v] of `ids` [b, s] in evaluation mode."""
    model.set_train(False)
    return model(ms.Tensor(ids, ms.int32))[0].asnumpy()


def loss(model: SciMindForCausalLM, ids: np.ndarray, labels: np.ndarray) -> float:
    """Returns the training loss of `ids` and `labels` [b, s+1]."""
    model.set_train(True)
    return model(ms.Tensor(ids, ms.int32), ms.Tensor(labels, ms.int32)).asnumpy().item()


def some_ids(shape: tuple[int, int], seed: int = 0, vocab_size: int = 62) -> np.ndarray:
    """Returns random ids without padding that include every modality."""
    return np.random.default_rng(seed).integers(3, vocab_size, shape).astype(np.int32)
