"""Which kernels a model computes with."""

from __future__ import annotations

from typing import Any

from mindspore.common import dtype as mstype

from scimind.errors import ConfigError
from scimind.model._mindformers import splits_tensors


def chosen_kernels(config: Any, device_target: str) -> str:
    """Returns "mindformers" or "cpu" (`scimind.model.cpu`): what `kernels` means here.

    Args:
        config: A SciMindConfig.
        device_target: "CPU" or "Ascend".

    Raises:
        ConfigError: `kernels: cpu` where they cannot compute the model.
    """
    obstacles = []
    if device_target != "CPU" or splits_tensors():
        obstacles.append("a device other than the CPU")
    if config.use_past:
        obstacles.append("use_past (True)")
    types = ("compute_dtype", "layernorm_compute_type", "softmax_compute_type", "rotary_dtype", "residual_dtype")
    obstacles += [
        f"{name} ({getattr(config, name)})"
        for name in types
        if getattr(config, name, None) not in (mstype.float32, None)
    ]
    obstacles += [f"{name} (True)" for name in ("qkv_has_bias", "attn_proj_has_bias") if getattr(config, name, False)]
    if config.kernels == "cpu" and obstacles:
        raise ConfigError(f"kernels (cpu) does not work with {' and '.join(obstacles)}; set kernels to auto")
    return "mindformers" if config.kernels == "mindformers" or obstacles else "cpu"
