"""A Llama's sizes: from Hugging Face's config.json, from the shapes of its weights, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from scimind.config.nodes import Section, Value
from scimind.config.schema import Faults, show
from scimind.errors import CheckpointError
from scimind.small_files import read_small_json

# Keys of config.json that must have these values, since our Llama supports nothing else.
_FIXED = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "sliding_window": None}
_DEFAULT_ROTARY = (None, "default")
_LARGEST, _MOST_LAYERS = 1 << 24, 4096  # far above those of published models


@dataclass(frozen=True)
class ModelSizes:
    """A Llama's sizes, and the settings that its weights do not specify.

    Args:
        vocab_size: v, rows of the embedding.
        hidden_size: d.
        num_layers: Decoder layers.
        num_heads: Query heads.
        n_kv_heads: Key and value heads.
        intermediate_size: h, neurons of a feed-forward.
        seq_length: Maximum sequence length.
        rms_norm_eps: Added to a norm's mean square.
        theta: Base of the rotary embedding.
        tie_word_embeddings: Whether the embedding is also the output matrix.
        bos_token_id: Id of the token that begins a sequence.
        eos_token_id: Id of the token that ends a sequence.
        pad_token_id: Id of the padding token.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    n_kv_heads: int
    intermediate_size: int
    seq_length: int = 2048
    rms_norm_eps: float = 1e-5
    theta: float = 10000.0
    tie_word_embeddings: bool = False
    bos_token_id: int = 1
    eos_token_id: int = 2
    pad_token_id: int = 0

    def to_model_config(self) -> dict[str, Any]:
        """Returns the sizes under the names of `model.model_config`."""
        return asdict(self)


def read_config_json(file: Path) -> ModelSizes:
    """Returns the sizes of a Hugging Face Llama.

    Args:
        file: Its config.json.

    Raises:
        CheckpointError: The file cannot be read, or it describes a Llama that is not supported; lists all reasons.
    """
    try:
        config = read_small_json(file)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error}); give a folder of save_pretrained") from error
    if config.get("model_type") != "llama":
        raise CheckpointError(f"{file}: model_type is {config.get('model_type')!r}; only llama models can be converted")
    rotary = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or rotary
    if not isinstance(rotary, dict) or not isinstance(scaling, dict):
        raise CheckpointError(f"{file}: rope_parameters and rope_scaling must be objects; download the file again")
    faults = [
        f"{key} ({config[key]!r}) must be {json.dumps(value)}"
        for key, value in _FIXED.items()
        if config.get(key, value) != value
    ]
    if scaling.get("rope_type", scaling.get("type")) not in _DEFAULT_ROTARY:
        faults.append(f"rope_scaling ({json.dumps(scaling)}) is not supported; only unscaled rotary embeddings are")
    try:
        heads = int(config["num_attention_heads"])
        sizes = ModelSizes(
            vocab_size=int(config["vocab_size"]),
            hidden_size=int(config["hidden_size"]),
            num_layers=int(config["num_hidden_layers"]),
            num_heads=heads,
            n_kv_heads=int(config.get("num_key_value_heads") or heads),
            intermediate_size=int(config["intermediate_size"]),
            seq_length=int(config.get("max_position_embeddings", 2048)),
            rms_norm_eps=float(config.get("rms_norm_eps", 1e-6)),
            theta=float(config.get("rope_theta") or rotary.get("rope_theta") or 10000.0),
            tie_word_embeddings=bool(config.get("tie_word_embeddings", False)),
            bos_token_id=_one(config.get("bos_token_id"), 1),
            eos_token_id=_one(config.get("eos_token_id"), 2),
            pad_token_id=max(0, _one(config.get("pad_token_id"), 0)),
        )
    except KeyError as error:
        raise CheckpointError(f"{file}: {error.args[0]} is missing; give a folder of save_pretrained") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{file}: a size is not a number ({error})") from error
    faults += _faults_of(sizes, config.get("head_dim"))
    if faults:
        raise CheckpointError(f"{file}: {'; '.join(faults)}; such a Llama cannot be converted")
    return sizes


def stated_sizes(stated: Mapping[str, Any], file: Path) -> ModelSizes:
    """Returns the sizes in the description of a checkpoint.

    Args:
        stated: The part `model` of `scimind.json`.
        file: The file, for errors.

    Raises:
        CheckpointError: A size is missing, is not a number, or is impossible.
    """
    kinds = {"rms_norm_eps": float, "theta": float, "tie_word_embeddings": bool}
    nodes = {entry.name: Value(kinds.get(entry.name, int)) for entry in fields(ModelSizes)}
    needed = tuple(entry.name for entry in fields(ModelSizes) if entry.default is MISSING)
    form = Section(nodes, required=needed, open=True)
    faults = Faults(form)
    sizes = form.check({"n_kv_heads": stated.get("num_heads"), **stated}, "", faults)
    if not faults:
        faults.extend(_faults_of(ModelSizes(**sizes), None))
    if faults:
        raise CheckpointError(f"{file}: model: {'; '.join(faults)}; copy the checkpoint again")
    return ModelSizes(**sizes)


def write_config_json(file: Path, sizes: ModelSizes, dtype: str) -> None:
    """Writes the config.json with which plain transformers loads the weights.

    Args:
        file: The new file.
        sizes: The model's sizes.
        dtype: "float32", "float16" or "bfloat16".
    """
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": sizes.vocab_size,
        "hidden_size": sizes.hidden_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "num_key_value_heads": sizes.n_kv_heads,
        "head_dim": sizes.hidden_size // sizes.num_heads,
        "intermediate_size": sizes.intermediate_size,
        "max_position_embeddings": sizes.seq_length,
        "rms_norm_eps": sizes.rms_norm_eps,
        "rope_theta": sizes.theta,
        "rope_scaling": None,
        "tie_word_embeddings": sizes.tie_word_embeddings,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": sizes.bos_token_id,
        "eos_token_id": sizes.eos_token_id,
        "torch_dtype": dtype,
        "use_cache": True,
    }
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def sizes_from_shapes(
    shapes: Mapping[str, tuple[int, ...]], num_heads: int | None, given: Mapping[str, Any], where: Path
) -> ModelSizes:
    """Returns the sizes of weights under MindFormers' names.

    Args:
        shapes: The shape of each weight.
        num_heads: Heads, which the shapes do not determine; None if `given` has them.
        given: Further settings under the names of `model.model_config`; sizes derived from shapes override them.
        where: The file, for error messages.

    Raises:
        CheckpointError: A weight that determines a size is missing, or the number of heads does not fit.
    """
    try:
        rows, hidden = shapes["model.tok_embeddings.embedding_weight"]
        neurons, _ = shapes["model.layers.0.feed_forward.w1.weight"]
        keys, _ = shapes["model.layers.0.attention.wk.weight"]
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{where}: is not a MindFormers Llama ({error} is missing or misshapen)") from error
    layers = {int(name.split(".")[2]) for name in shapes if name.startswith("model.layers.")}
    heads = num_heads or given.get("num_heads")
    if not heads:
        raise CheckpointError(f"{where}: does not specify the number of heads; give --num-heads or --config")
    if hidden % heads or keys % (hidden // heads):
        raise CheckpointError(f"{where}: {heads} heads do not fit hidden_size {hidden} and {keys} rows of wk")
    names = {entry.name for entry in fields(ModelSizes)}
    rest = {key: value for key, value in given.items() if key in names and value is not None}
    rest |= {
        "vocab_size": rows,
        "hidden_size": hidden,
        "num_layers": max(layers) + 1,
        "num_heads": heads,
        "n_kv_heads": keys // (hidden // heads),
        "intermediate_size": neurons,
        "tie_word_embeddings": "lm_head.weight" not in shapes,
    }
    return ModelSizes(**rest)


def _faults_of(sizes: ModelSizes, head_dim: Any) -> list[str]:
    """Returns what is impossible about sizes, given the size of a head that the file states or None."""
    if sizes.num_layers > _MOST_LAYERS:
        return [f"num_layers ({sizes.num_layers}) must be at most {_MOST_LAYERS}"]
    counts = (sizes.hidden_size, sizes.num_layers, sizes.num_heads, sizes.n_kv_heads, sizes.intermediate_size)
    if not 1 <= min(*counts, sizes.vocab_size) <= max(*counts, sizes.vocab_size) <= _LARGEST:
        return [f"sizes must be from 1 to {_LARGEST}"]
    faults = []
    if not (math.isfinite(sizes.theta) and math.isfinite(sizes.rms_norm_eps)):
        faults.append("rope_theta and rms_norm_eps must be finite numbers")
    if sizes.hidden_size % sizes.num_heads:
        faults.append(f"hidden_size ({sizes.hidden_size}) must be a multiple of its heads ({sizes.num_heads})")
    elif head_dim and head_dim != sizes.hidden_size // sizes.num_heads:
        faults.append(f"head_dim ({show(head_dim)}) must be hidden_size / num_attention_heads")
    if sizes.num_heads % sizes.n_kv_heads:
        faults.append(f"num_key_value_heads ({sizes.n_kv_heads}) must divide num_attention_heads ({sizes.num_heads})")
    return faults


def _one(value: Any, default: int) -> int:
    """Returns a token's id, the first if there are several."""
    if isinstance(value, list):
        value = value[0] if value else None
    return default if value is None else int(value)
