"""Every name of MindFormers that is not part of its public interface, imported in this one place.

Written for MindFormers 1.9; a version that moves one of them fails here and nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mindspore as ms
from mindformers.models.llama import llama as _llama
from mindformers.models.llama.llama import LlamaForCausalLM, LlamaModel
from mindformers.models.llama.llama_config import LlamaConfig
from mindformers.models.llama.llama_layer import LlamaFeedForward, LlamaSiLU
from mindformers.models.llama.llama_transformer import LLamaDecodeLayer
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.parallel._utils import _get_parallel_mode

from scimind.config import facts

__all__ = [
    "LLamaDecodeLayer",
    "LlamaConfig",
    "LlamaFeedForward",
    "LlamaForCausalLM",
    "LlamaModel",
    "LlamaSiLU",
    "MindFormerModuleType",
    "MindFormerRegister",
    "built_from",
    "runs_on_cpu",
    "splits_tensors",
]

_building = threading.RLock()


@contextmanager
def built_from(model: Callable[..., Any], decode_layer: Callable[..., Any]) -> Iterator[None]:
    """Lets LlamaForCausalLM build itself from other parts while the context lasts.

    Its constructor looks up `LlamaModel` and `LLamaDecodeLayer` in its module. Putting ours there keeps all that it
    does around them (sharding, pipeline stages, recomputation) and never allocates the dense layers they replace.
    """
    with _building:
        before = _llama.LlamaModel, _llama.LLamaDecodeLayer
        _llama.LlamaModel, _llama.LLamaDecodeLayer = model, decode_layer
        try:
            yield
        finally:
            _llama.LlamaModel, _llama.LLamaDecodeLayer = before


def runs_on_cpu() -> bool:
    """Returns whether operators run on the CPU, with whole tensors: where `scimind.model.cpu` computes."""
    return ms.get_context("device_target") == "CPU" and not splits_tensors()


def splits_tensors() -> bool:
    """Returns whether MindSpore splits tensors over devices (semi-automatic or automatic parallel mode)."""
    return facts.is_semi_automatic(_get_parallel_mode())
