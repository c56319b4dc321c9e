"""What a training needs to resume in addition to its weights: optimizer, loss scale, random state; read strictly."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.checkpoint.formats.reading import read_tensors
from scimind.checkpoint.weights import WeightMismatchError


def state_parameters(wrapper: ms.nn.Cell) -> list[ms.Parameter]:
    """Returns the parameters of a training step that are not weights: moments, step, loss scale and its counters.

    A constant learning rate is also a parameter, but is left out, since the configuration sets it.

    Args:
        wrapper: The training step, whose cell `network` is trained.
    """
    weights = {parameter.name for parameter in wrapper.network.get_parameters()}
    others = [parameter for parameter in wrapper.get_parameters() if parameter.name not in weights]
    return [parameter for parameter in others if not parameter.name.split(".")[-1].startswith("learning_rate")]


def restore_state(wrapper: ms.nn.Cell, file: Path) -> None:
    """Restores a training step's state from a checkpoint, all of it or nothing.

    Args:
        wrapper: The training step.
        file: `optimizer.ckpt` or `optimizer.safetensors`.

    Raises:
        CheckpointError: The file cannot be read.
        WeightMismatchError: A parameter is missing, unexpected or misshapen, for example of another optimizer.
    """
    stored = read_tensors(file)
    wanted = {parameter.name: parameter for parameter in state_parameters(wrapper)}
    # A scalar has no shape in a .safetensors and the shape [1] in some versions of .ckpt.
    misshapen = [
        (name, stored[name].shape, tuple(wanted[name].shape))
        for name in wanted
        if name in stored and (stored[name].shape or (1,)) != (tuple(wanted[name].shape) or (1,))
    ]
    missing, unexpected = [n for n in wanted if n not in stored], [n for n in stored if n not in wanted]
    if missing or unexpected or misshapen:
        raise WeightMismatchError(
            file, missing, unexpected, misshapen, "give the optimizer and the runner_wrapper that the run started with"
        )
    for name, parameter in wanted.items():
        entry = stored[name]
        value = entry.numbers() if entry.dtype == "BF16" else entry.values()
        parameter.set_data(ms.Tensor(np.asarray(value).reshape(parameter.shape)).astype(parameter.dtype))


def random_state() -> dict[str, Any]:
    """Returns the state of Python's, NumPy's and MindSpore's random generators as JSON values."""
    version, numbers, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    generator = np.ascontiguousarray(ms.get_rng_state().asnumpy())
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [_packed(np.asarray(keys)), int(position), int(has_gauss), float(cached)],
        "mindspore": _packed(generator),
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Restores the random generators from what `random_state` returned."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", _unpacked(keys), position, has_gauss, cached))
    ms.set_rng_state(ms.Tensor(_unpacked(state["mindspore"])))


def _packed(array: np.ndarray) -> list[str]:
    return [array.dtype.str, base64.b64encode(array.tobytes()).decode("ascii")]


def _unpacked(packed: list[str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed[1]), np.dtype(packed[0])).copy()


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindResume(Callback):
    """Restores optimizer, loss scale and random state before the first step of a resumed run.

    Args:
        file: The checkpoint's optimizer file.
        state: `random_state` at the time when it was written.
    """

    def __init__(self, file: Path, state: dict[str, Any]) -> None:
        super().__init__()
        self._file, self._state = file, state

    def on_train_begin(self, run_context: Any) -> None:
        """Restores the state."""
        restore_state(run_context.original_args().train_network, self._file)
        restore_random_state(self._state)
