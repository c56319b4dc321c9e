"""Facts of a run that several parts ask for, each decided in this one place.

The functions take plain values, so that a configuration (`RunConfig`) and a model (`SciMindConfig`, which holds
MindSpore's types) are judged by the same rule. Nothing here loads MindSpore.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimind.config.routing import GROUPED_BY_DEFAULT
from scimind.errors import ConfigError

# MindSpore's parallel modes that split tensors over devices: the number in a YAML, and MindSpore's name.
_SEMI_AUTOMATIC = {1: "semi_auto_parallel", 2: "auto_parallel"}

_CPU_TYPES = ("compute_dtype", "layernorm_compute_type", "softmax_compute_type", "rotary_dtype", "residual_dtype")
_BIASES = ("qkv_has_bias", "attn_proj_has_bias")
# Settings of a model that decide which kernels it computes with.
KERNEL_SETTINGS = ("kernels", "use_past", *_CPU_TYPES, *_BIASES)


def is_semi_automatic(parallel_mode: int | str) -> bool:
    """Returns whether a parallel mode, a YAML's number or MindSpore's name, splits tensors over devices."""
    return parallel_mode in _SEMI_AUTOMATIC or parallel_mode in _SEMI_AUTOMATIC.values()


def parallel_mode(tree: Mapping[str, Any]) -> int:
    """Returns the number of the parallel mode of a run that uses several devices.

    Args:
        tree: A checked configuration, which may lack sections. Without a mode it has MindFormers' own, 1, except on a
            CPU, which cannot split tensors: 0.
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
    """Returns the number of the worker that reports: the first of a pipeline's last stage, which knows the loss.

    Args:
        workers: Processes that run together.
        stages: Stages of the pipeline, 1 without one.
    """
    return workers // stages * (stages - 1)


def worker_fault(tree: Mapping[str, Any], workers: int) -> str:
    """Returns what is wrong with the number of processes of a run, "" where nothing is.

    Args:
        tree: A checked configuration.
        workers: Processes that run together.
    """
    if workers == 1 or tree.get("use_parallel"):
        return ""
    return f"use_parallel (False) lets {workers} workers do the same work; set it to True"


def blocks_of_a_row(seq_length: int, block_size: int) -> int:
    """Returns how many blocks of PagedAttention hold one sequence."""
    return -(-seq_length // block_size)


def kernel_obstacles(model: Mapping[str, Any], *, on_cpu: bool) -> list[str]:
    """Returns what keeps a model from `scimind.model.cpu`, nothing where these kernels can compute it.

    Args:
        model: `KERNEL_SETTINGS` of the model, number formats by name ("float32"); those that are missing or None are
            no obstacle.
        on_cpu: Whether operators run on a CPU, with whole tensors. The cache of `use_past` is then not MindFormers'.
    """
    obstacles = []
    if not on_cpu:
        obstacles.append("a device other than the CPU")
        if model.get("use_past"):
            obstacles.append("use_past (True)")
    obstacles += [f"{name} ({model[name]})" for name in _CPU_TYPES if model.get(name) not in ("float32", None)]
    return obstacles + [f"{name} (True)" for name in _BIASES if model.get(name)]


def kernel_fault(model: Mapping[str, Any], *, on_cpu: bool) -> str:
    """Returns what is wrong with `kernels: cpu`, "" where nothing is; arguments as in `kernel_obstacles`."""
    obstacles = kernel_obstacles(model, on_cpu=on_cpu)
    if model.get("kernels") != "cpu" or not obstacles:
        return ""
    return f"kernels (cpu) does not work with {' and '.join(obstacles)}; set kernels to auto"


def chosen_kernels(model: Mapping[str, Any], *, on_cpu: bool) -> str:
    """Returns "mindformers" or "cpu" (`scimind.model.cpu`): what `kernels` means; arguments as in `kernel_obstacles`.

    Raises:
        ConfigError: `kernels: cpu` where they cannot compute the model.
    """
    fault = kernel_fault(model, on_cpu=on_cpu)
    if fault:
        raise ConfigError(fault)
    is_theirs = model.get("kernels") == "mindformers" or bool(kernel_obstacles(model, on_cpu=on_cpu))
    return "mindformers" if is_theirs else "cpu"


def chosen_dispatch(dispatch: str, router: str, kernels: str, *, splits: bool) -> str:
    """Returns "masked" or "grouped": what `dispatch` means.

    Grouped dispatch has shapes that depend on the tokens. MindSpore's CPU runs them; Ascend, and tensors that are split
    over devices, want static ones.

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
