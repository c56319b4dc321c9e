"""The model: MindFormers' Llama with modality-routed experts.

Shapes, everywhere in this package:

    b  batch                    h  neurons of the feed-forward
    s  sequence                 e  experts
    t  tokens, b·s              f  neurons of one expert, h / e
    d  hidden size              v  vocabulary

Names are loaded on first use: importing `scimind.config.routing` must not load MindSpore.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scimind.runtime import mindformers_log

# Before any module of this package imports MindFormers.
mindformers_log.use_temporary_folder()

_HOME = {
    "RoutingSettings": "scimind.config.routing",
    "SciMindConfig": "scimind.model.config",
    "SciMindForCausalLM": "scimind.model.causal_lm",
}

__all__ = ["RoutingSettings", "SciMindConfig", "SciMindForCausalLM"]

if TYPE_CHECKING:
    from scimind.config.routing import RoutingSettings
    from scimind.model.causal_lm import SciMindForCausalLM
    from scimind.model.config import SciMindConfig


def __getattr__(name: str) -> Any:
    """Loads a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'scimind.model' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
