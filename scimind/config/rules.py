"""Rules between settings: combinations that are not allowed although each setting alone is.

Each rule reads a checked tree, in which settings that are faulty in themselves are missing, and yields sentences.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from scimind.config import facts
from scimind.config.canonical import TRAINING_MODES
from scimind.config.routing import RoutingSettings
from scimind.config.sections.generation import generation_faults
from scimind.config.sections.model import ROUTING_FIELDS, intermediate_size
from scimind.config.without_effect import settings_without_effect
from scimind.errors import ConfigError
from scimind.modality import MODALITY_NAMES

_MODEL = "model.model_config"

# What runs on Ascend only: setting, value without a CPU kernel, value to use instead.
_NOT_ON_CPU: tuple[tuple[str, Any, Any], ...] = (
    ("use_flash_attention", True, False),
    ("fused_rms_norm", True, False),
    ("use_rope_slice", False, True),
    ("compute_dtype", "bfloat16", "float32"),
)


def broken_rules(tree: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    """Yields a sentence for each rule that a configuration breaks.

    Args:
        tree: The checked settings.
        given: Names of all sections that the user gave, including faulty ones.
    """
    model = tree.get("model", {}).get("model_config")
    if isinstance(model, Mapping):
        yield from _sizes(model)
        yield from _routing(model)
        yield from _device(tree, model)
        yield from _parallel(tree, model)
        yield from _generation(tree, model)
    yield from _training(tree, given)
    yield from settings_without_effect(tree)


def _sizes(model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults in the sizes of the model."""
    hidden, heads, groups = model.get("hidden_size"), model.get("num_heads"), model.get("n_kv_heads")
    if hidden and heads:
        if hidden % heads:
            yield f"{_MODEL}.hidden_size ({hidden}) must be a multiple of num_heads ({heads}); change one of them"
        elif (hidden // heads) % 2:
            yield f"{_MODEL}.hidden_size ({hidden}) / num_heads ({heads}) must be even for rotary embedding; change one"
    if heads and groups and heads % groups:
        yield f"{_MODEL}.num_heads ({heads}) must be a multiple of n_kv_heads ({groups}); change one of them"
    vocabulary = model.get("vocab_size")
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if vocabulary and model.get(name) is not None and model[name] >= vocabulary:
            yield f"{_MODEL}.{name} ({model[name]}) must be below vocab_size ({vocabulary}); raise vocab_size"
    if model.get("intermediate_size") and model.get("ffn_dim_multiplier"):
        yield f"{_MODEL}.ffn_dim_multiplier does nothing next to intermediate_size; leave one of them out"
    if model.get("extend_method") == "None" and model.get("scaling_factor", 1.0) != 1.0:
        yield f"{_MODEL}.scaling_factor ({model['scaling_factor']}) acts only with an extend_method; set one"
    if model.get("packed") and model.get("use_attn_mask_compression"):
        yield f"{_MODEL}.packed (True) does not work with use_attn_mask_compression; set one of them to False"
    longest, length = model.get("max_position_embedding"), model.get("seq_length")
    if longest and length and longest < length:
        yield f"{_MODEL}.max_position_embedding ({longest}) must be at least seq_length ({length}); raise it"


def _routing(model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults in the experts, their assignment to modalities, and the ranges of token ids."""
    sized = all(name in model for name in ("hidden_size", "multiple_of", "intermediate_size"))
    try:
        routing = RoutingSettings.create(
            **{name: model[name] for name in ROUTING_FIELDS if name in model},
            vocab_size=model.get("vocab_size"),
            intermediate_size=intermediate_size(model) if sized else None,
        )
    except ConfigError as error:
        yield from (f"{_MODEL}.{fault}" for fault in error.faults)
        return
    for modality in MODALITY_NAMES:
        if routing.active_experts(modality) == 0:
            setting = "expert_sets" if routing.router == "modality" else "experts_per_token"
            yield f"{_MODEL}.{setting}.{modality} leaves {modality} without experts; give it at least one"


def _device(tree: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yields settings for which the device has no kernels."""
    on_cpu = tree.get("context", {}).get("device_target") == "CPU" and not facts.splits_tensors(tree)
    fault = facts.kernel_fault(model, on_cpu=on_cpu)
    if fault:
        yield f"{_MODEL}.{fault}"
    if tree.get("context", {}).get("device_target") != "CPU":
        return
    for name, value, instead in _NOT_ON_CPU:
        if model.get(name) == value:
            yield f"{_MODEL}.{name} ({value}) does not run on context.device_target CPU; set it to {instead}"


def _parallel(tree: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults in the distribution of the model over devices."""
    if not tree.get("use_parallel"):
        return
    spread, mode, splits = tree.get("parallel_config", {}), facts.parallel_mode(tree), facts.splits_tensors(tree)
    if splits and model.get("dispatch") == "grouped":
        yield (
            f"{_MODEL}.dispatch (grouped) has dynamic shapes, which parallel.parallel_mode {mode} does not support; "
            "use masked or auto"
        )
    if splits and tree.get("context", {}).get("device_target") == "CPU":
        yield f"parallel.parallel_mode ({mode}) does not run on context.device_target CPU; set it to 0"
    stages, layers = spread.get("pipeline_stage", 1), model.get("num_layers")
    if layers and stages > layers:
        yield f"parallel_config.pipeline_stage ({stages}) must be at most {_MODEL}.num_layers ({layers}); lower it"
    micro = spread.get("micro_batch_num", 1)
    if micro < stages and tree.get("run_mode") in TRAINING_MODES:
        yield f"parallel_config.micro_batch_num ({micro}) must be at least pipeline_stage ({stages}); raise it"
    split = spread.get("model_parallel", 1)
    for name in ("num_heads", "n_kv_heads", "vocab_size", "num_experts"):
        if model.get(name) and model[name] % split:
            yield f"{_MODEL}.{name} ({model[name]}) must be a multiple of parallel_config.model_parallel ({split})"


def _generation(tree: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults in the generation of answers."""
    new, longest = tree.get("generation", {}).get("max_new_tokens"), model.get("seq_length")
    yield from generation_faults(tree.get("generation", {}), "generation.")
    if tree.get("run_mode") == "predict" and new and longest and new >= longest:
        yield f"generation.max_new_tokens ({new}) must be below {_MODEL}.seq_length ({longest}); lower it"


def _training(tree: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    """Yields settings that a training or evaluation run lacks, and ones that do not fit it."""
    mode = tree.get("run_mode")
    model = tree.get("model", {}).get("model_config") or {}
    if mode in TRAINING_MODES and model.get("use_past"):
        yield f"{_MODEL}.use_past (True) breaks training; set it to False for run_mode {mode}"
    needed = {"finetune": ["train_dataset"], "train": ["train_dataset"], "eval": ["eval_dataset"]}.get(mode or "", [])
    if mode in TRAINING_MODES and tree.get("do_eval"):
        needed.append("eval_dataset")
    for section in needed:
        if section in given and section not in tree:
            continue  # faulty in itself
        loader = tree.get(section, {}).get("data_loader", {})
        if not loader.get("dataset_dir") and not loader.get("dataset_files"):
            yield (
                f"{section}.data_loader.dataset_dir is missing; "
                f"set it or give --{section} PATH, a MindRecord file or folder"
            )
    if mode in TRAINING_MODES:
        stages = tree.get("parallel_config", {}).get("pipeline_stage", 1)
        if tree.get("runner_config", {}).get("sink_mode") and tree.get("context", {}).get("device_target") == "CPU":
            yield "runner_config.sink_mode (True) needs an Ascend device; set it to False"
        if tree.get("do_eval") and stages > 1 and facts.splits_tensors(tree):
            yield "do_eval (True) does not work with a pipeline; set it to False"
        for section in ("optimizer", "lr_schedule", "runner_wrapper"):
            if section not in given:
                yield f"{section} is missing; add it, since run_mode {mode} needs it"
    for task, section in (("train_dataset_task", "train_dataset"), ("eval_dataset_task", "eval_dataset")):
        repeated = tree.get(task, {}).get("dataset_config")
        if repeated is not None and repeated != tree.get(section):
            yield f"{task}.dataset_config differs from {section}; leave it out, since it is filled in automatically"
