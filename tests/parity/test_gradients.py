"""Gradients of the CPU kernels against automatic gradients of transformers' Llama on PyTorch."""

from __future__ import annotations

import importlib.util

import mindspore as ms
import numpy as np
import pytest

from scimind.checkpoint.convert.weight_names import hugging_face_names
from scimind.modality import MODALITY_NAMES, modality_table
from tests.support import tolerances
from tests.support.models import RANGES, SMALL, build, some_ids, use_mode, weights_of

SETS = {"text": ["0..6"], "smiles": [5, 7], "nucleotide": [7], "protein": ["0..2"]}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed (extra `parity`)"
)


def ours(weights: dict[str, np.ndarray], heads: int, ids: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the loss and each weight's gradient."""
    use_mode("graph")
    settings = {"n_kv_heads": heads, "router": "modality", "expert_sets": SETS, "dispatch": "grouped"}
    model = build(weights, **settings)
    assert model.kernels == "cpu"
    model.set_train(True)
    parameters = model.trainable_params()
    loss, found = ms.value_and_grad(model, None, parameters)(ms.Tensor(ids), ms.Tensor(labels))
    return {"loss": loss.asnumpy(), **{p.name: g.asnumpy() for p, g in zip(parameters, found, strict=True)}}


def theirs(weights: dict[str, np.ndarray], heads: int, ids: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the same from PyTorch, with inactive neurons set to 0 before the last product."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=SMALL["vocab_size"],
        hidden_size=SMALL["hidden_size"],
        intermediate_size=SMALL["intermediate_size"],
        num_hidden_layers=SMALL["num_layers"],
        num_attention_heads=SMALL["num_heads"],
        num_key_value_heads=heads,
        rms_norm_eps=1e-5,
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).float()
    names = hugging_face_names(SMALL["num_layers"])
    model.load_state_dict({name: torch.from_numpy(weights[own].copy()) for name, own in names.items()}, strict=True)
    experts = {"text": range(7), "smiles": (5, 7), "nucleotide": (7,), "protein": range(3)}
    active = np.zeros((len(MODALITY_NAMES), SMALL["num_experts"]), np.float32)
    for row, modality in enumerate(MODALITY_NAMES):
        active[row, list(experts[modality])] = 1
    ranges = {modality: [bounds] for modality, bounds in RANGES.items()}
    neurons = np.repeat(active, SMALL["intermediate_size"] // SMALL["num_experts"], axis=1)
    mask = torch.from_numpy(neurons[modality_table(SMALL["vocab_size"], ranges)][ids[:, :-1]])  # [b, s, h]
    for layer in model.model.layers:
        layer.mlp.down_proj.register_forward_pre_hook(lambda module, inputs: (inputs[0] * mask,))
    targets = torch.from_numpy(labels[:, 1:].astype(np.int64))
    loss = model(input_ids=torch.from_numpy(ids[:, :-1].astype(np.int64)), labels=targets, shift_labels=targets).loss
    loss.backward()
    found = {names[name]: parameter.grad.numpy() for name, parameter in model.named_parameters()}
    return {"loss": loss.detach().numpy(), **found}


def largest_difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Returns the largest difference, relative to the largest number of its kind."""
    assert sorted(one) == sorted(other)
    return max(float(np.abs(one[name] - other[name]).max() / np.abs(other[name]).max()) for name in other)


@pytest.mark.parametrize("heads", [4, 2], ids=["multi-head", "grouped-query"])
def test_routed_training_has_the_gradients_of_pytorch(heads: int) -> None:
    ids = some_ids((2, 17), seed=4)
    labels = ids.copy()
    labels[:, :4] = -100
    use_mode("pynative")
    weights = weights_of(build(n_kv_heads=heads, router="modality", expert_sets=SETS))
    found = ours(weights, heads, ids, labels)
    assert largest_difference(found, theirs(weights, heads, ids, labels)) < tolerances.NUMPY

    # The twin: swapping two experts' neurons in only one product changes the function.
    swapped = {name: weight.copy() for name, weight in weights.items()}
    w2 = swapped["model.layers.1.feed_forward.w2.weight"]
    w2[:, [0, 8]] = w2[:, [8, 0]]
    assert largest_difference(found, theirs(swapped, heads, ids, labels)) > 1e-3
