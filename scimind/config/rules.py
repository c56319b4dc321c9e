"""Rules between settings: what each setting allows by itself, but not together with another.

Each rule reads a checked tree in which a setting with a fault of its own is missing, and yields sentences.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from scimind.config.model_settings import MODALITIES, intermediate_size

_MODEL = "model.model_config"
_TRAINING_MODES = ("finetune", "train")
_SEMI_AUTOMATIC = (1, 2)

# What runs on Ascend only: setting, the value that has no kernel on the CPU, the value to give instead.
_NOT_ON_CPU: tuple[tuple[str, Any, Any], ...] = (
    ("use_flash_attention", True, False),
    ("fused_rms_norm", True, False),
    ("use_rope_slice", False, True),
    ("compute_dtype", "bfloat16", "float32"),
)


def broken_rules(tree: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    """Yields one sentence for each rule that a configuration breaks.

    Args:
        tree: The checked settings.
        given: Names of all sections that the user gave, those with faults included.
    """
    model = tree.get("model", {}).get("model_config")
    if isinstance(model, Mapping):
        yield from _sizes(model)
        yield from _experts(model)
        yield from _modality_ranges(model)
        yield from _device(tree, model)
        yield from _parallel(tree, model)
        yield from _generation(tree, model)
    yield from _training(tree, given)


def _sizes(model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults of the sizes of the model."""
    hidden, heads, groups = model.get("hidden_size"), model.get("num_heads"), model.get("n_kv_heads")
    if hidden and heads:
        if hidden % heads:
            yield f"{_MODEL}.hidden_size ({hidden}) must be a multiple of num_heads ({heads}); change one of them"
        elif (hidden // heads) % 2:
            yield f"{_MODEL}.hidden_size ({hidden}) / num_heads ({heads}) must be even for rotary positions; change one"
    if heads and groups and heads % groups:
        yield f"{_MODEL}.num_heads ({heads}) must be a multiple of n_kv_heads ({groups}); change one of them"
    vocabulary = model.get("vocab_size")
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if vocabulary and model.get(name) is not None and model[name] >= vocabulary:
            yield f"{_MODEL}.{name} ({model[name]}) must be below vocab_size ({vocabulary}); raise vocab_size"
    longest, length = model.get("max_position_embedding"), model.get("seq_length")
    if longest and length and longest < length:
        yield f"{_MODEL}.max_position_embedding ({longest}) must be at least seq_length ({length}); raise it"


def _experts(model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults of the experts and of which of them each modality uses."""
    experts, router = model.get("num_experts"), model.get("router")
    if not experts:
        return
    if all(name in model for name in ("hidden_size", "multiple_of", "intermediate_size")):
        neurons = intermediate_size(model)
        if neurons % experts:
            yield (
                f"{_MODEL}.intermediate_size ({neurons}) must be a multiple of num_experts ({experts}); "
                "change one of them"
            )
    if router == "modality" and "expert_sets" not in model:
        yield f"{_MODEL}.expert_sets is missing; router modality needs the experts of each modality"
    if router in ("activation", "learned") and "experts_per_token" not in model:
        yield f"{_MODEL}.experts_per_token is missing; router {router} needs a number for each modality"
    for section in ("expert_sets", "shared_experts"):
        for modality, chosen in (model.get(section) or {}).items():
            if chosen and (chosen[-1] >= experts or chosen[0] < 0):
                wrong = chosen[0] if chosen[0] < 0 else chosen[-1]
                yield f"{_MODEL}.{section}.{modality} names expert {wrong}; experts are 0 to {experts - 1}"
            if section == "expert_sets" and not chosen:
                yield f"{_MODEL}.{section}.{modality} is empty; name at least one expert"
    shared = model.get("shared_experts") or {}
    for modality, number in (model.get("experts_per_token") or {}).items():
        where = f"{_MODEL}.experts_per_token.{modality} ({number})"
        if number > experts:
            yield f"{where} must be at most num_experts ({experts}); lower it"
        if number == 0 and not shared.get(modality):
            yield f"{where} leaves {modality} without experts; use at least 1 or name shared_experts"


def _modality_ranges(model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults of the ranges of token ids."""
    vocabulary = model.get("vocab_size")
    spans = [
        (start, stop, modality)
        for modality in MODALITIES[1:]
        for start, stop in (model.get("modality_ranges") or {}).get(modality) or []
    ]
    for start, stop, modality in spans:
        if vocabulary and stop > vocabulary:
            where = f"{_MODEL}.modality_ranges.{modality} [{start}, {stop}]"
            yield f"{where} must end at vocab_size ({vocabulary}) or before; raise vocab_size"
    spans.sort()
    for (start, stop, modality), (next_start, next_stop, other) in zip(spans, spans[1:], strict=False):
        if next_start < stop:
            yield (
                f"{_MODEL}.modality_ranges.{modality} [{start}, {stop}] overlaps {other} [{next_start}, {next_stop}]; "
                "a token has one modality"
            )


def _device(tree: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yields settings that the CPU has no kernels for."""
    if tree.get("context", {}).get("device_target") != "CPU":
        return
    for name, value, instead in _NOT_ON_CPU:
        if model.get(name) == value:
            yield f"{_MODEL}.{name} ({value}) does not run on context.device_target CPU; set it to {instead}"


def _parallel(tree: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults of how the model is spread over devices."""
    if not tree.get("use_parallel"):
        return
    spread, mode = tree.get("parallel_config", {}), tree.get("parallel", {}).get("parallel_mode")
    if mode in _SEMI_AUTOMATIC and model.get("dispatch") == "grouped":
        yield (
            f"{_MODEL}.dispatch (grouped) has dynamic shapes, which parallel.parallel_mode {mode} lacks; "
            "use masked or auto"
        )
    if mode in _SEMI_AUTOMATIC and tree.get("context", {}).get("device_target") == "CPU":
        yield f"parallel.parallel_mode ({mode}) does not run on context.device_target CPU; set it to 0"
    stages, layers = spread.get("pipeline_stage", 1), model.get("num_layers")
    if layers and stages > layers:
        yield f"parallel_config.pipeline_stage ({stages}) must be at most {_MODEL}.num_layers ({layers}); lower it"
    micro = spread.get("micro_batch_num", 1)
    if micro < stages and tree.get("run_mode") in _TRAINING_MODES:
        yield f"parallel_config.micro_batch_num ({micro}) must be at least pipeline_stage ({stages}); raise it"
    split = spread.get("model_parallel", 1)
    for name in ("num_heads", "n_kv_heads", "vocab_size"):
        if model.get(name) and model[name] % split:
            yield f"{_MODEL}.{name} ({model[name]}) must be a multiple of parallel_config.model_parallel ({split})"


def _generation(tree: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yields faults of how answers are generated."""
    new, longest = tree.get("generation", {}).get("max_new_tokens"), model.get("seq_length")
    if tree.get("run_mode") == "predict" and new and longest and new >= longest:
        yield f"generation.max_new_tokens ({new}) must be below {_MODEL}.seq_length ({longest}); lower it"


def _training(tree: Mapping[str, Any], given: Collection[str]) -> Iterator[str]:
    """Yields what a training or evaluating run lacks."""
    mode = tree.get("run_mode")
    model = tree.get("model", {}).get("model_config") or {}
    if mode in _TRAINING_MODES and model.get("use_past"):
        yield f"{_MODEL}.use_past (True) breaks training; set it to False where run_mode is {mode}"
    needed = {"finetune": ["train_dataset"], "train": ["train_dataset"], "eval": ["eval_dataset"]}.get(mode or "", [])
    if mode in _TRAINING_MODES and tree.get("do_eval"):
        needed.append("eval_dataset")
    for section in needed:
        if section in given and section not in tree:
            continue  # a fault of its own
        loader = tree.get(section, {}).get("data_loader", {})
        if not loader.get("dataset_dir") and not loader.get("dataset_files"):
            yield (
                f"{section}.data_loader.dataset_dir is missing; "
                f"give it, or --{section} PATH, a MindRecord file or folder"
            )
    if mode in _TRAINING_MODES:
        for section in ("optimizer", "lr_schedule", "runner_wrapper"):
            if section not in given:
                yield f"{section} is missing; run_mode {mode} needs it"
    for task, section in (("train_dataset_task", "train_dataset"), ("eval_dataset_task", "eval_dataset")):
        given = tree.get(task, {}).get("dataset_config")
        if given is not None and given != tree.get(section):
            yield f"{task}.dataset_config differs from {section}; leave it out, it is filled in"
