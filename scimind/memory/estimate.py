"""Estimating a run's memory on an Ascend device or on a CPU."""

from __future__ import annotations

from scimind.config import RunConfig
from scimind.memory.ascend import memory_of_card
from scimind.memory.components import Memory
from scimind.memory.cpu import memory_of_process


def estimate_memory(config: RunConfig) -> Memory:
    """Returns an estimate of the memory on the fullest device of a run.

    Args:
        config: The run's configuration. The estimate for a CPU assumes SciMind's own operators.
    """
    return memory_of_process(config) if config.device_target == "CPU" else memory_of_card(config)
