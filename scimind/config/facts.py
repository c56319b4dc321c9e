"""Facts about a run that several parts need, each decided in this one place.

The functions take plain values, so that a configuration (`RunConfig`) and a model (`SciMindConfig`, which holds
MindSpore's types) follow the same rule. Nothing here loads MindSpore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimind.config.routing import GROUPED_BY_DEFAULT
from scimind.errors import ConfigError

# MindSpore's parallel modes that split tensors over devices: the number in the YAML, and MindSpore's name.
_SEMI_AUTOMATIC = {1: "semi_auto_parallel", 2: "auto_parallel"}

_CPU_TYPES = ("compute_dtype", "layernorm_compute_type", "softmax_compute_type", "rotary_dtype", "residual_dtype")
_BIASES = ("qkv_has_bias", "attn_proj_has_bias")
# The model settings that determine which kernels are used.
KERNEL_SETTINGS = ("kernels", "use_past", *_CPU_TYPES, *_BIASES)


def is_semi_automatic(parallel_mode: int | str) -> bool:
    """Returns whether a parallel mode, given by number or by MindSpore's name, splits tensors over devices."""
    return parallel_mode in _SEMI_AUTOMATIC or parallel_mode in _SEMI_AUTOMATIC.values()


def parallel_mode(tree: Mapping[str, Any]) -> int:
    """Returns the number of the parallel mode of a run that uses several devices.

    Args:
        tree: A checked configuration, which may lack sections. Without a mode, MindFormers' default is used, 1, except
            on a CPU, which cannot split tensors: 0.
    """
    mode = tree.get("parallel", {}).get("parallel_mode")
    if mode is not None:
        return int(mode)
    return 0 if tree.get("context", {}).get("device_target") == "CPU" else 1


def splits_tensors(tree: Mapping[str, Any]) -> bool:
    """Returns whether MindSpore splits tensors over devices (semi-automatic and automatic parallel mode).

    Args:
        tree: A checked configuration, which may lack sections.
    """
    return bool(tree.get("use_parallel")) and is_semi_automatic(parallel_mode(tree))


def reporting_rank(workers: int, stages: int) -> int:
    """Returns the rank of the worker that reports: the first of the last pipeline stage, which knows the loss.

    Args:
        workers: Number of processes of the run.
        stages: Number of pipeline stages, 1 without a pipeline.
    """
    return workers // stages * (stages - 1)


def worker_fault(tree: Mapping[str, Any], workers: int) -> str:
    """Returns what is wrong with the number of processes of a run, "" if nothing is.

    Args:
        tree: A checked configuration.
        workers: Number of processes of the run.
    """
    if workers == 1 or tree.get("use_parallel"):
        return ""
    return f"use_parallel (False) would make {workers} workers all do the same work; set it to True"


def blocks_of_a_row(seq_length: int, block_size: int) -> int:
    """Returns the number of PagedAttention blocks that hold one sequence."""
    return -(-seq_length // block_size)


def kernel_obstacles(model: Mapping[str, Any], *, on_cpu: bool) -> list[str]:
    """Returns the settings that prevent the use of `scimind.model.cpu`, empty if these kernels can compute the model.

    Args:
        model: `KERNEL_SETTINGS` of the model, with number formats by name ("float32"); missing ones and None are not
            obstacles.
        on_cpu: Whether operators run on a CPU with whole tensors, where the cache of `use_past` is not MindFormers'.
    """
    obstacles = []
    if not on_cpu:
        obstacles.append("a device other than the CPU")
        if model.get("use_past"):
            obstacles.append("use_past (True)")
    obstacles += [f"{name} ({model[name]})" for name in _CPU_TYPES if model.get(name) not in ("float32", None)]
    return obstacles + [f"{name} (True)" for name in _BIASES if model.get(name)]


def kernel_fault(model: Mapping[str, Any], *, on_cpu: bool) -> str:
    """Returns what is wrong with `kernels: cpu`, "" if nothing is; arguments as for `kernel_obstacles`."""
    obstacles = kernel_obstacles(model, on_cpu=on_cpu)
    if model.get("kernels") != "cpu" or not obstacles:
        return ""
    return f"kernels (cpu) does not work with {' and '.join(obstacles)}; set kernels to auto"


def chosen_kernels(model: Mapping[str, Any], *, on_cpu: bool) -> str:
    """Returns the kernels that the setting selects, "mindformers" or "cpu"; arguments as for `kernel_obstacles`.

    Raises:
        ConfigError: `kernels: cpu`, but these kernels cannot compute the model.
    """
    fault = kernel_fault(model, on_cpu=on_cpu)
    if fault:
        raise ConfigError(fault)
    is_theirs = model.get("kernels") == "mindformers" or bool(kernel_obstacles(model, on_cpu=on_cpu))
    return "mindformers" if is_theirs else "cpu"


def chosen_dispatch(dispatch: str, router: str, kernels: str, *, splits: bool) -> str:
    """Returns the dispatch that the setting selects, "masked" or "grouped".

    The shapes of grouped dispatch depend on the tokens. MindSpore supports this on a CPU; Ascend, and tensors that are
    split over devices, need static shapes.

    Args:
        dispatch: "auto", "masked" or "grouped".
        router: One of `ROUTERS`.
        kernels: "mindformers" or "cpu", see `chosen_kernels`.
        splits: Whether tensors are split over devices.
    """
    if splits:
        return "masked"
    if dispatch != "auto":
        return dispatch
    return "grouped" if kernels == "cpu" and router in GROUPED_BY_DEFAULT else "masked"
