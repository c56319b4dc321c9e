"""Memory of one device, computed from a configuration alone and without loading MindSpore."""

from scimind.memory.components import Memory
from scimind.memory.estimate import estimate_memory

__all__ = ["Memory", "estimate_memory"]
