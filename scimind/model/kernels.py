"""The choice of a model's kernels."""

from __future__ import annotations

from typing import Any

from scimind.config import facts
from scimind.model._mindformers import splits_tensors


def chosen_kernels(config: Any, device_target: str) -> str:
    """Returns the kernels that the setting `kernels` selects: "mindformers" or "cpu" (`scimind.model.cpu`).

    Args:
        config: A SciMindConfig.
        device_target: "CPU" or "Ascend".

    Raises:
        ConfigError: `kernels` is "cpu", but these kernels cannot compute the model.
    """
    settings = {name: _plain(getattr(config, name, None)) for name in facts.KERNEL_SETTINGS}
    return facts.chosen_kernels(settings, on_cpu=device_target == "CPU" and not splits_tensors())


def _plain(value: Any) -> Any:
    """Returns the YAML name of a number format, and anything else unchanged."""
    return value if value is None or isinstance(value, bool | str) else str(value).lower()
