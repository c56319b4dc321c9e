"""Memory of one device, computed from a configuration alone: nothing here loads MindSpore."""

from __future__ import annotations

from scimind.config import RunConfig
from scimind.memory.ascend import memory_of_card
from scimind.memory.cpu import memory_of_process
from scimind.memory.estimate import Memory

__all__ = ["Memory", "memory"]


def memory(config: RunConfig) -> Memory:
    """Returns an estimate of the memory on the fullest device of a run.

    Args:
        config: The run's. On a CPU the estimate is of a process whose model computes with SciMind's own operators.
    """
    return memory_of_process(config) if config.device_target == "CPU" else memory_of_card(config)
