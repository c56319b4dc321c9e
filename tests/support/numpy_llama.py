"""Hugging Face's Llama in float64 numpy, and its files: an oracle that needs no torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from scimind.tokenizer.codec import BUILT_IN_MODEL

SIZES: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 2000,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500.0,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "torch_dtype": "float32",
}


def draw(config: dict[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Returns random float32 weights under Hugging Face's names."""
    random = np.random.default_rng(seed)
    d, h, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    keys = d // config["num_attention_heads"] * config["num_key_value_heads"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (v, d)}
    for layer in range(config["num_hidden_layers"]):
        for name, shape in (
            ("input_layernorm", (d,)),
            ("self_attn.q_proj", (d, d)),
            ("self_attn.k_proj", (keys, d)),
            ("self_attn.v_proj", (keys, d)),
            ("self_attn.o_proj", (d, d)),
            ("post_attention_layernorm", (d,)),
            ("mlp.gate_proj", (h, d)),
            ("mlp.up_proj", (h, d)),
            ("mlp.down_proj", (d, h)),
        ):
            shapes[f"model.layers.{layer}.{name}.weight"] = shape
    shapes["model.norm.weight"] = (d,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (v, d)
    return {
        name: (
            1 + 0.1 * random.standard_normal(shape)
            if "norm" in name
            else random.standard_normal(shape) * shape[-1] ** -0.5
        ).astype(np.float32)
        for name, shape in shapes.items()
    }


def save(folder: Path, weights: dict[str, np.ndarray], config: dict[str, Any], files: int = 1) -> Path:
    """Writes a folder like `save_pretrained`, with one file or with several and an index, and returns it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(BUILT_IN_MODEL, folder / "tokenizer.model")
    if files == 1:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    places: dict[str, str] = {}
    for number in range(files):
        name = f"model-{number + 1:05d}-of-{files:05d}.safetensors"
        part = dict(list(weights.items())[number::files])
        save_file(part, folder / name, metadata={"format": "pt"})
        places |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def logits(weights: dict[str, np.ndarray], config: dict[str, Any], ids: np.ndarray) -> np.ndarray:
    """Returns logits [s, v] of one sequence `ids` [s]."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    size, s = config["hidden_size"] // heads, len(ids)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * w[name]

    angles = np.outer(np.arange(s), config["rope_theta"] ** (-np.arange(0, size, 2) / size))

    def rotate(x: np.ndarray) -> np.ndarray:
        """Rotates the first half of each head against the second, x [n, s, size]."""
        first, second = x[..., : size // 2], x[..., size // 2 :]
        cos, sin = np.cos(angles), np.sin(angles)
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)

    def split(x: np.ndarray, n: int) -> np.ndarray:
        return x.reshape(s, n, size).transpose(1, 0, 2)

    h = w["model.embed_tokens.weight"][ids]
    for layer in range(config["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        x = norm(h, p + "input_layernorm.weight")
        q = rotate(split(x @ w[p + "self_attn.q_proj.weight"].T, heads))
        k = rotate(split(x @ w[p + "self_attn.k_proj.weight"].T, kv)).repeat(heads // kv, 0)
        v = split(x @ w[p + "self_attn.v_proj.weight"].T, kv).repeat(heads // kv, 0)
        score = q @ k.transpose(0, 2, 1) / np.sqrt(size) + np.triu(np.full((s, s), -np.inf), 1)
        score = np.exp(score - score.max(-1, keepdims=True))
        mixed = (score / score.sum(-1, keepdims=True)) @ v
        h = h + mixed.transpose(1, 0, 2).reshape(s, -1) @ w[p + "self_attn.o_proj.weight"].T
        x = norm(h, p + "post_attention_layernorm.weight")
        gate = x @ w[p + "mlp.gate_proj.weight"].T
        u = gate / (1 + np.exp(-gate)) * (x @ w[p + "mlp.up_proj.weight"].T)
        h = h + u @ w[p + "mlp.down_proj.weight"].T
    return norm(h, "model.norm.weight") @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T
