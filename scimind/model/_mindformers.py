"""The only imports of MindFormers names that are not part of its public interface.

Written for MindFormers 1.9; a version that moves one of them fails only here.
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
    """Makes LlamaForCausalLM build itself from other parts within the context.

    Its constructor looks up `LlamaModel` and `LLamaDecodeLayer` in its module. Putting ours there keeps everything
    that it does around them (sharding, pipeline stages, recomputation) and avoids allocating the dense layers.
    """
    with _building:
        before = _llama.LlamaModel, _llama.LLamaDecodeLayer
        _llama.LlamaModel, _llama.LLamaDecodeLayer = model, decode_layer
        try:
            yield
        finally:
            _llama.LlamaModel, _llama.LLamaDecodeLayer = before


def runs_on_cpu() -> bool:
    """Whether operators run on the CPU with unsplit tensors, so that `scimind.model.cpu` can compute."""
    return ms.get_context("device_target") == "CPU" and not splits_tensors()


def splits_tensors() -> bool:
    """Whether MindSpore splits tensors over devices (semi-automatic or automatic parallel mode)."""
    return facts.is_semi_automatic(_get_parallel_mode())
