"""Kernels, dispatch and split tensors: a model does what its configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import mindspore as ms
import pytest
from mindformers.tools.utils import PARALLEL_MODE

from scimind.cli.check import report
from scimind.config import RunConfig
from scimind.config.facts import chosen_dispatch
from scimind.errors import ConfigError
from scimind.model import SciMindConfig
from scimind.model._mindformers import runs_on_cpu, splits_tensors
from scimind.model.kernels import chosen_kernels
from scimind.train.settings import read_settings
from tests.support.models import CPU_TYPES, SMALL, build, use_mode

FORMATS = [
    {},
    {"compute_dtype": "float16"},
    {"layernorm_compute_type": "float16"},
    {"softmax_compute_type": "float16"},
    {"rotary_dtype": "float16"},
    {"residual_dtype": "float16"},
    {"residual_dtype": "float32"},
    {"param_init_type": "float16"},
    {"qkv_has_bias": True},
    {"attn_proj_has_bias": True},
    {"compute_dtype": "float16", "qkv_has_bias": True, "use_past": True},
    {"use_past": True},
]
KERNELS = ("auto", "mindformers", "cpu")
PLACES = [("CPU", None), ("CPU", 0), ("Ascend", None), ("Ascend", 0), ("Ascend", 1), ("Ascend", 2), ("Ascend", 3)]


def tree_of(model: dict[str, Any], device: str, mode: int | None, **sections: Any) -> dict[str, Any]:
    """Returns a configuration; mode None uses one device."""
    settings = {**SMALL, **CPU_TYPES, **model}
    del settings["batch_size"]  # has other places in a configuration
    return {
        "context": {"device_target": device},
        "use_parallel": mode is not None,
        "parallel": {} if mode is None else {"parallel_mode": mode},
        "model": {"model_config": settings},
        **sections,
    }


@contextmanager
def parallel_mode(mode: int | None) -> Iterator[None]:
    """Switches MindSpore to a parallel mode."""
    if mode is None:
        yield
        return
    ms.set_auto_parallel_context(parallel_mode=PARALLEL_MODE[mode])
    try:
        yield
    finally:
        ms.reset_auto_parallel_context()


def kernels_of_model(model: dict[str, Any], device: str) -> str:
    """Returns the kernels that a model uses, or "refused" if it cannot be built."""
    try:
        return chosen_kernels(SciMindConfig(**{**SMALL, **CPU_TYPES, **model}), device)
    except ConfigError:
        return "refused"


def kernels_of_configuration(tree: dict[str, Any]) -> str:
    """Returns the kernels that a configuration implies, or "refused" if it is not valid."""
    try:
        return RunConfig(tree).kernels
    except ConfigError as error:
        assert all("kernels (cpu)" in fault for fault in error.faults)
        return "refused"


@pytest.mark.parametrize(("device", "mode"), PLACES)
def test_configuration_and_model_choose_the_same_kernels(device: str, mode: int | None) -> None:
    seen = set()
    with parallel_mode(mode):
        for formats, kernels in product(FORMATS, KERNELS):
            model = {**formats, "kernels": kernels}
            if device == "CPU" and mode not in (1, 2):
                model["use_past"] = False  # as the model itself sets it, since its cache on a CPU is not MindFormers'
            expected = kernels_of_model(model, device)
            model = {**formats, "kernels": kernels}
            assert kernels_of_configuration(tree_of(model, device, mode)) == expected, model
            seen.add(expected)
    assert seen == ({"cpu", "mindformers", "refused"} if device == "CPU" else {"mindformers", "refused"})


@pytest.mark.parametrize(("device", "mode"), PLACES)
def test_configuration_and_model_split_and_dispatch_alike(device: str, mode: int | None) -> None:
    with parallel_mode(mode):
        for router, dispatch in product(("modality", "activation", "learned"), ("auto", "masked", "grouped")):
            model = {"router": router, "dispatch": dispatch}
            if mode in (1, 2) and dispatch == "grouped":
                with pytest.raises(ConfigError, match="dynamic shapes"):
                    RunConfig(tree_of(model, device, mode))
                continue
            config = RunConfig(tree_of(model, device, mode))
            assert config.splits_tensors == splits_tensors() == (mode in (1, 2))
            routing = SciMindConfig(**{**SMALL, **CPU_TYPES, **model}).routing
            kernels = chosen_kernels(SciMindConfig(**{**SMALL, **CPU_TYPES, **model}), device)
            assert config.dispatch == chosen_dispatch(
                routing.dispatch, routing.router, kernels, splits=splits_tensors()
            )


@pytest.mark.parametrize("formats", FORMATS, ids=str)
def test_check_and_training_report_the_kernels_of_a_model(formats: dict[str, Any]) -> None:
    use_mode("pynative")
    model = build(**formats)
    sections = {"run_mode": "predict", "optimizer": {"type": "AdamW"}, "generation": {"max_new_tokens": 4}}
    config = RunConfig(tree_of(formats, "CPU", None, **sections))
    assert (config.kernels, config.runs_on_cpu) == (model.kernels, runs_on_cpu())
    warns = any("this configuration uses MindFormers' operators" in line for line in report(config))
    assert warns is (model.kernels == "mindformers")
    settings = read_settings(config, is_training=False, needs_data=False)
    is_own = model.kernels == "cpu" and formats.get("param_init_type") != "float16"
    assert settings.has_own_optimizer is is_own


@pytest.mark.parametrize("mode", [1, 2])
def test_a_cpu_splits_no_tensors(mode: int) -> None:
    with pytest.raises(ConfigError, match=rf"parallel.parallel_mode \({mode}\) does not run on .* CPU; set it to 0"):
        RunConfig(tree_of({}, "CPU", mode))
