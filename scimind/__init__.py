"""SciMind: a Llama with modality-routed experts for text, molecules, proteins and nucleic acids.

Names are loaded on first use, so that `import scimind` does not load MindSpore.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scimind._version import __version__

_HOME = {
    "Model": "scimind.api.model",
    "Prediction": "scimind.api.results",
    "load": "scimind.api.model",
    "prepare": "scimind.api.steps",
    "finetune": "scimind.api.steps",
    "evaluate_predictions": "scimind.api.steps",
    "SciMindConfig": "scimind.model",
    "SciMindForCausalLM": "scimind.model",
    "SciMindTokenizer": "scimind.tokenizer.tokenizer",
    "TokenCodec": "scimind.tokenizer",
    "SciMindError": "scimind.errors",
}

__all__ = [
    "Model",
    "Prediction",
    "SciMindConfig",
    "SciMindError",
    "SciMindForCausalLM",
    "SciMindTokenizer",
    "TokenCodec",
    "__version__",
    "evaluate_predictions",
    "finetune",
    "load",
    "prepare",
]

if TYPE_CHECKING:
    from scimind.api.model import Model, load
    from scimind.api.results import Prediction
    from scimind.api.steps import evaluate_predictions, finetune, prepare
    from scimind.errors import SciMindError
    from scimind.model import SciMindConfig, SciMindForCausalLM
    from scimind.tokenizer import TokenCodec
    from scimind.tokenizer.tokenizer import SciMindTokenizer


def __getattr__(name: str) -> Any:
    """Loads a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'scimind' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
