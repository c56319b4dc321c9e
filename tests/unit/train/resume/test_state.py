"""Optimizer, loss scale and random state, transferred from one training step to another."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import nn

from scimind.checkpoint.weights import WeightMismatchError
from scimind.train.resume.state import random_state, restore_random_state, restore_state, state_parameters
from scimind.train.step import SciMindTrainOneStepCell


def step_cell(optimizer: type[nn.Optimizer] = nn.AdamWeightDecay, fill: float | None = None) -> Any:
    network = nn.Dense(3, 2)
    scale = nn.DynamicLossScaleUpdateCell(2.0**12, 2, 50)
    cell = SciMindTrainOneStepCell(network, optimizer(network.trainable_params(), 0.1), scale_sense=scale)
    if fill is not None:
        for number, parameter in enumerate(state_parameters(cell)):
            parameter.set_data(ms.Tensor(np.full(parameter.shape, fill + number), parameter.dtype))
    return cell


@pytest.mark.parametrize("kind", ["ckpt", "safetensors"])
def test_a_state_is_restored(tmp_path: Path, kind: str) -> None:
    written, file = step_cell(fill=5), tmp_path / f"optimizer.{kind}"
    values = {parameter.name: parameter.asnumpy() for parameter in state_parameters(written)}
    assert {"scale_sense", "adam_m.weight", "adam_v.bias", "global_step"} <= set(values)
    assert any(name.endswith("last_overflow_iterator_step") for name in values)
    assert "weight" not in values
    ms.save_checkpoint([{"name": n, "data": ms.Tensor(v)} for n, v in values.items()], str(file), format=kind)
    cell = step_cell()
    before = {parameter.name: parameter.asnumpy().copy() for parameter in state_parameters(cell)}
    restore_state(cell, file)
    for parameter in state_parameters(cell):
        np.testing.assert_array_equal(parameter.asnumpy(), values[parameter.name])
        assert not np.array_equal(before[parameter.name], values[parameter.name])


def test_another_optimizers_state_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "optimizer.ckpt"
    entries = [{"name": item.name, "data": item.data} for item in state_parameters(step_cell(nn.Adam))]
    ms.save_checkpoint(entries, str(file))
    with pytest.raises(WeightMismatchError, match="missing: .*adam_m.*give the optimizer and the runner_wrapper"):
        restore_state(step_cell(), file)


def test_random_numbers_continue() -> None:
    ms.set_seed(5)
    np.random.seed(5)
    np.random.randn()  # keeps a second value for the next call
    random.random()
    state = json.loads(json.dumps(random_state()))

    def draw() -> list[float]:
        numbers = [random.random(), float(np.random.rand()), float(np.random.randn()), random.gauss(0, 1)]
        return [*numbers, *ms.get_rng_state().asnumpy().tolist()]

    wanted = draw()
    ms.manual_seed(6)
    assert draw() != wanted
    restore_random_state(state)
    assert draw() == wanted
