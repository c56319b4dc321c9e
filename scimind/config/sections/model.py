"""Settings of `model.model_config`: the arguments of LlamaConfig with their defaults, and SciMind's routing.

A test compares the first part with the signature of MindFormers' own LlamaConfig.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scimind.config.nodes import Inert, Items, Repeats, Section, Value
from scimind.config.routing import DISPATCHES, KERNELS, ROUTERS, SCORES
from scimind.config.schema import INVALID, UNSET, Faults, Node, show
from scimind.modality import MODALITY_NAMES

_DTYPES = ("float32", "float16", "bfloat16")
_SPAN = re.compile(r"\s*(\d{1,9})\s*\.\.\s*(\d{1,9})\s*")
_MOST_EXPERTS = 65_536  # a span is written out; more experts than neurons cannot be


def _dtype(default: Any = UNSET) -> Value:
    """Returns the node of a number format."""
    return Value(str, default, choices=_DTYPES, nullable=default is None)


def _positive(default: Any = UNSET) -> Value:
    """Returns the node of a count of at least one."""
    return Value(int, default, low=1)


def _flag(default: bool) -> Value:
    """Returns the node of a boolean setting."""
    return Value(bool, default)


# Generation has its own section, to which these settings are moved.
GENERATION_ARGUMENTS = ("repetition_penalty", "top_k", "top_p", "do_sample")
# LlamaConfig accepts these too, but in a YAML the first two are separate sections, and the last is not supported.
LLAMA_ARGUMENTS_ELSEWHERE = ("parallel_config", "moe_config", "quant_config")

# Variants of Llama that the routed model does not have.
_OFF = Value(bool, False, choices=(False,))

LLAMA_FIELDS: dict[str, Node] = {
    "batch_size": Inert((1,), "set runner_config.batch_size or generation.batch_size", 1),
    "seq_length": _positive(2048),
    "hidden_size": _positive(4096),
    "num_layers": Value(int, 32, low=1, high=10_000),
    "num_heads": _positive(32),
    "n_kv_heads": _positive(None),
    "max_position_embedding": _positive(None),
    "intermediate_size": _positive(None),
    "vocab_size": _positive(32000),
    "multiple_of": _positive(256),
    "ffn_dim_multiplier": Value(float, None, above=0),
    "rms_norm_eps": Value(float, 1e-5, above=0),
    "bos_token_id": Value(int, 1, low=0),
    "eos_token_id": Value(int, 2, low=0),
    "pad_token_id": Value(int, 0, low=0),
    "ignore_token_id": Value(int, -100),
    "theta": Value(float, 10000.0, above=0),
    "compute_dtype": _dtype("float16"),
    "layernorm_compute_type": _dtype("float32"),
    "softmax_compute_type": _dtype("float32"),
    "rotary_dtype": _dtype("float32"),
    "param_init_type": _dtype("float16"),
    "residual_dtype": _dtype(None),
    "embedding_init_type": _dtype(None),
    "qkv_has_bias": _flag(False),
    "qkv_concat": _OFF,
    "attn_proj_has_bias": _flag(False),
    "use_past": _flag(False),
    "extend_method": Value(str, "None", choices=("None", "PI", "NTK", "LLAMA3", "YARN")),
    "scaling_factor": Value(float, 1.0, above=0),
    "is_dynamic": _flag(False),
    "use_rope_slice": _flag(False),
    "use_flash_attention": _flag(False),
    "use_ring_attention": _OFF,
    "use_attn_mask_compression": _flag(False),
    "use_eod_attn_mask_compression": _OFF,
    "parallel_optimizer": _flag(False),
    "fine_grain_interleave": Value(int, 1, choices=(1,)),
    "pp_interleave_num": _positive(1),
    "offset": Items(Value(int, low=0), single=True, default=0),
    "init_method_std": Value(float, 0.01, above=0),
    "checkpoint_name_or_path": Inert(("", None), "set load_checkpoint", ""),
    "repetition_penalty": Repeats("generation.repetition_penalty", Value(float)),
    "max_decode_length": Inert((512, 1024), "set generation.max_new_tokens", 1024),
    "block_size": _positive(16),
    "num_blocks": Inert((512, 1024), "the cache gets the blocks of generation.batch_size rows", 512),
    "top_k": Repeats("generation.top_k", Value(int)),
    "top_p": Repeats("generation.top_p", Value(float)),
    "do_sample": Repeats("generation.do_sample", Value(bool)),
    "tie_word_embeddings": _flag(False),
    "llm_backend": Inert(("",), default=""),
    "fused_rms_norm": _flag(True),
    "input_sliced_sig": Inert((False,), "records have one token more than seq_length", False),
    "rmsnorm_compute_2d": _OFF,
    "chunk_prefill": _OFF,
    "calculate_per_token_loss": _flag(False),
    "pipeline_stage": Section({name: Value(int, low=0) for name in ("start_stage", "stage_num", "offset")}),
    "return_hidden_states": Inert((False,), "use scimind.experts to record activations", False),
}


@dataclass(frozen=True)
class Experts:
    """A set of expert numbers: a list in which `0..7` stands for 0 to 7, both ends included."""

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the sorted numbers, each once; see `scimind.config.schema`."""
        numbers: list[int] = []
        for item in value if isinstance(value, list | tuple) else [value]:
            span = _SPAN.fullmatch(item) if isinstance(item, str) else None
            if span and int(span[1]) <= int(span[2]) < _MOST_EXPERTS:
                numbers.extend(range(int(span[1]), int(span[2]) + 1))
            elif isinstance(item, int) and not isinstance(item, bool):
                numbers.append(item)
            else:
                faults.append(f"{name} ({show(value)}) must be a list of experts, such as [0..7] or [14, 15]")
                return INVALID
        repeated = sorted({number for number in numbers if numbers.count(number) > 1})
        if repeated:
            faults.append(f"{name} names expert {repeated[0]} twice; name each once")
            return INVALID
        return sorted(numbers)


@dataclass(frozen=True)
class Ranges:
    """Half-open ranges of token ids: one pair, or a list of pairs."""

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns a list of [start, stop]; see `scimind.config.schema`."""
        pairs = [value] if _is_pair(value) else value
        if not isinstance(pairs, list | tuple) or not all(_is_pair(pair) for pair in pairs):
            faults.append(f"{name} ({show(value)}) must be [start, stop] with start < stop, or a list of such pairs")
            return INVALID
        return [list(pair) for pair in pairs]


def _is_pair(value: Any) -> bool:
    """Returns whether `value` is [start, stop] with 0 <= start < stop."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    return all(type(end) is int for end in value) and 0 <= value[0] < value[1]


def _per_modality(node: Node) -> Section:
    """Returns a section with one setting of this kind per modality."""
    return Section({name: node for name in MODALITY_NAMES})


ROUTING_FIELDS: dict[str, Node] = {
    "num_experts": Value(int, 16, low=1, high=_MOST_EXPERTS),
    "router": Value(str, "modality", choices=ROUTERS),
    "dispatch": Value(str, "auto", choices=DISPATCHES),
    "score": Value(str, "sum", choices=SCORES),
    "experts_per_token": _per_modality(Value(int, low=0)),
    "shared_experts": _per_modality(Experts()),
    "expert_sets": _per_modality(Experts()),
    "modality_ranges": Section({name: Ranges() for name in MODALITY_NAMES[1:]}),
    "balance_weight": Value(float, 0.0, low=0),
}

# Whether a row holds several records, see `scimind prepare --pack`.
PACKING_FIELDS: dict[str, Node] = {"packed": _flag(False), "kernels": Value(str, "auto", choices=KERNELS)}

# Arguments of LlamaConfig's base class, which LlamaConfig accepts too.
_BASE_FIELDS: dict[str, Node] = {
    "name_or_path": Inert((), "set load_checkpoint"),
    "pretrained_model_dir": Inert((), "set load_checkpoint"),
    "mindformers_version": Inert(()),
    "tokenizer_class": Inert((), "set processor.tokenizer.type"),
    "architectures": Inert((), "set model.arch.type"),
}

MODEL_CONFIG = Section(
    {
        "type": Value(str, "SciMindConfig", choices=("SciMindConfig",)),
        **LLAMA_FIELDS,
        **ROUTING_FIELDS,
        **PACKING_FIELDS,
        **_BASE_FIELDS,
    },
)


def intermediate_size(model_config: Mapping[str, Any]) -> int:
    """Returns the number of feed-forward neurons, by MindFormers' rule if it is not given.

    Args:
        model_config: The section `model.model_config`, with its defaults filled in.
    """
    given = model_config.get("intermediate_size")
    if given is not None:
        return int(given)
    neurons = 4 * model_config["hidden_size"]
    multiplier = model_config.get("ffn_dim_multiplier")
    if multiplier is not None:
        neurons = int((multiplier + 0.01) * neurons)
    neurons = int(2 * neurons / 3)
    multiple = model_config["multiple_of"]
    return int(multiple * ((neurons + multiple - 1) // multiple))
