"""The same Llama for each side: its sizes, random weights and tokens, and how each framework receives them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scimind.checkpoint.convert.sizes import ModelSizes
from scimind.checkpoint.convert.weight_names import expected_shapes, hugging_face_names
from scimind.config import RunConfig
from scimind.modality import MODALITY_NAMES, modality_table

CONFIGS = Path(__file__).parents[2] / "configs"
SIZES = ModelSizes(4096, 256, 6, 8, 8, 1024, seq_length=256)
SMOKE = ModelSizes(256, 32, 2, 2, 2, 64, seq_length=16)
DENSE: dict[str, Any] = {"num_experts": 1, "router": "modality"}
# The original's shares of the experts: 14 of 16 for text, 2 for the rest.
ROUTED: dict[str, Any] = {
    "num_experts": 16,
    "router": "modality",
    "dispatch": "grouped",
    "expert_sets": {"text": ["0..13"], **dict.fromkeys(MODALITY_NAMES[1:], ["14..15"])},
}
_ADDED = 98  # tokens after those of text, in the published order: SMILES, nucleotides, proteins


def modality_ranges(sizes: ModelSizes) -> dict[str, list[list[int]]]:
    """Returns the ids of the added tokens: the end of the vocabulary, as in the published one."""
    base = sizes.vocab_size - _ADDED
    return {"smiles": [[base, base + 66]], "nucleotide": [[base + 66, base + 71]], "protein": [[base + 71, base + 98]]}


def token_rows(sizes: ModelSizes, batch_size: int, length: int) -> np.ndarray:
    """Returns random ids int32 [b, length]: each row's first half is SMILES, its second half text."""
    random = np.random.default_rng(7)
    base = sizes.vocab_size - _ADDED
    half = length // 2
    smiles = random.integers(base, base + 66, (batch_size, half))
    text = random.integers(3, base, (batch_size, length - half))
    return np.concatenate([smiles, text], axis=1).astype(np.int32)


def random_weights(sizes: ModelSizes, *, only_smiles: bool = False) -> dict[str, np.ndarray]:
    """Returns float32 weights under our names, the same in every process.

    Args:
        sizes: The model's sizes.
        only_smiles: Makes all logits 0 except those of SMILES, one of which is greater, so that answers are molecules.
    """
    random = np.random.default_rng(3)
    weights = {
        name: (
            1 + 0.1 * random.standard_normal(shape)
            if len(shape) == 1
            else random.standard_normal(shape) * shape[-1] ** -0.5
        ).astype(np.float32)
        for name, shape in expected_shapes(sizes).items()
    }
    if only_smiles:
        [(first, last)] = modality_ranges(sizes)["smiles"]
        weights["lm_head.weight"][:first] = weights["lm_head.weight"][last:] = 0
    return weights


def active_neurons(sizes: ModelSizes, routing: Mapping[str, Any]) -> np.ndarray:
    """Returns which neurons each token of the vocabulary uses with router `modality`, bool [v, h]."""
    from scimind.config.routing import RoutingSettings

    settings = RoutingSettings.create(**routing)
    experts = np.zeros((len(MODALITY_NAMES), settings.num_experts), bool)
    for row, modality in zip(experts, MODALITY_NAMES, strict=True):
        row[list(settings.expert_sets[modality])] = True
    of_token = experts[modality_table(sizes.vocab_size, modality_ranges(sizes))]  # [v, e]
    return np.repeat(of_token, sizes.intermediate_size // settings.num_experts, axis=1)


def run_config(sizes: ModelSizes, routing: Mapping[str, Any], batch_size: int) -> RunConfig:
    """Returns the nano model's finetuning configuration with other sizes, no data and a constant learning rate."""
    tree = yaml.safe_load((CONFIGS / "scimind_nano_finetune.yaml").read_text(encoding="utf-8"))
    for section in ("train_dataset", "train_dataset_task", "eval_dataset", "eval_dataset_task", "processor"):
        del tree[section]
    tree |= {"do_eval": False, "run_mode": "predict"}  # this mode does not need a data set
    tree["runner_config"] |= {"batch_size": batch_size, "global_batch_size": batch_size}  # without accumulation
    tree["generation"] = {"max_new_tokens": 1}
    tree["lr_schedule"] = {"type": "ConstantWarmUpLR", "learning_rate": 1e-3, "warmup_steps": 0, "total_steps": 1000}
    model = tree["model"]["model_config"]
    for name in ("expert_sets", "num_experts", "router", "dispatch"):
        del model[name]
    model |= {**sizes.to_model_config(), **routing, "modality_ranges": modality_ranges(sizes)}
    return RunConfig(tree)


def load_weights(network: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Loads weights into a MindSpore network, which must have a parameter of the same name and shape for each."""
    import mindspore as ms

    parameters = {parameter.name: parameter for parameter in network.get_parameters()}
    for name, value in weights.items():
        assert parameters[name].shape == value.shape, name
        parameters[name].set_data(ms.Tensor(value))


def torch_llama(sizes: ModelSizes, *, only_smiles: bool = False) -> Any:
    """Returns transformers' LlamaForCausalLM with the same weights, float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.num_layers,
        num_attention_heads=sizes.num_heads,
        num_key_value_heads=sizes.n_kv_heads,
        intermediate_size=sizes.intermediate_size,
        max_position_embeddings=sizes.seq_length,
        rms_norm_eps=sizes.rms_norm_eps,
        rope_theta=sizes.theta,
    )
    model = LlamaForCausalLM(config)
    weights = random_weights(sizes, only_smiles=only_smiles)
    names = hugging_face_names(sizes.num_layers)
    model.load_state_dict({theirs: torch.from_numpy(weights[ours]) for theirs, ours in names.items()})
    return model


def mindspore_facts() -> dict[str, str]:
    """Returns versions and threads of a process that runs MindSpore."""
    import mindformers
    import mindspore as ms

    return {
        "MindSpore": ms.__version__,
        "MindFormers": mindformers.__version__,
        "threads of MindSpore": str(ms.get_context("runtime_num_threads")),
    }


def torch_facts() -> dict[str, str]:
    """Returns versions and threads of a process that runs PyTorch."""
    import torch
    import transformers

    return {
        "PyTorch": torch.__version__,
        "transformers": transformers.__version__,
        "threads of PyTorch": str(torch.get_num_threads()),
    }


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
