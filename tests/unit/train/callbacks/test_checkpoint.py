"""Which checkpoints are kept."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mindspore as ms
import pytest
from mindspore import nn

from scimind.checkpoint.finding import find_checkpoint, step_folders
from scimind.checkpoint.seal import fault_of_folder
from scimind.runtime.console import quiet_console
from scimind.runtime.measurements import EvaluationScore
from scimind.runtime.run_folder import RunFolder
from scimind.train.callbacks.checkpoint import SciMindCheckpoint
from scimind.train.run import TrainingRun
from scimind.train.step import SciMindTrainOneStepCell


def make_context() -> tuple[Any, Any]:
    """Returns a run's context with a training step, and its network."""
    network = nn.Dense(2, 2)
    wrapper = SciMindTrainOneStepCell(network, nn.Adam(network.trainable_params(), learning_rate=0.1))
    original = SimpleNamespace(train_network=wrapper)
    return SimpleNamespace(original_args=lambda: original), network


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    context, _ = make_context()
    folder = RunFolder.create(tmp_path, "finetune")
    with quiet_console(folder.log_file) as console:
        run = TrainingRun(folder, console, total_steps=9, steps_per_epoch=3, tokens_per_step=1)
        callback = SciMindCheckpoint(run, {"format": 1}, save_checkpoint_steps=2, keep_checkpoint_max=2)
        for step in range(1, 10):
            run.add_step(step, math.nan if step == 8 else 1.0, 0.1)
            if step in (4, 6):
                run.add_evaluation(EvaluationScore(float(step), 0.5, 1, 1))
            callback.on_train_step_end(context)
        callback.on_train_end(context)
        callback.on_train_end(context)  # does not write again
    # Step 4 scored best, step 8's loss is not finite, step 9 is the end.
    assert [path.name for path in step_folders(folder.checkpoint)] == ["step_000004", "step_000006", "step_000009"]
    assert run.last_checkpoint == folder.checkpoint / "step_000009"
    best = find_checkpoint(folder.checkpoint / "step_000004")
    assert best.description["training"] == {
        "step": 4,
        "epoch": pytest.approx(4 / 3),
        "loss": 1.0,
        "eval_loss": 4.0,
        "eval_accuracy": 0.5,
    }
    state = ms.load_checkpoint(str(folder.checkpoint / "step_000009" / "optimizer.ckpt"))
    assert {"moment1.weight", "moment2.weight", "global_step", "scale_sense"} <= set(state)
    assert "weight" not in state


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    context, network = make_context()
    folder = RunFolder.create(tmp_path, "finetune")
    with quiet_console(folder.log_file) as console:
        run = TrainingRun(folder, console, total_steps=2, steps_per_epoch=2, tokens_per_step=1)
        callback = SciMindCheckpoint(run, {}, {"format": 1}, save_checkpoint_steps=1)
        for step, value in ((1, 1.0), (2, math.inf)):  # the loss is that of the weights before the step
            network.weight[0, 0] = value
            run.add_step(step, 1.0, 0.1)
            callback.on_train_step_end(context)
    assert [path.name for path in step_folders(folder.checkpoint)] == ["step_000001"]
    assert "step 2: no checkpoint written, weight is not finite" in capfd.readouterr().out
    assert fault_of_folder(folder.checkpoint / "step_000001") is None


def test_a_resumed_run_keeps_its_intervals(tmp_path: Path) -> None:
    context, _ = make_context()
    folder = RunFolder.create(tmp_path, "finetune")
    with quiet_console(folder.log_file) as console:
        run = TrainingRun(folder, console, total_steps=9, steps_per_epoch=3, tokens_per_step=1, first_step=5)
        callback = SciMindCheckpoint(run, {}, {"format": 1}, save_checkpoint_steps=3)
        callback.on_train_end(context)  # no step was run
        for step in range(6, 9):
            run.add_step(step, 1.0, 0.1)
            callback.on_train_step_end(context)
    assert [path.name for path in step_folders(folder.checkpoint)] == ["step_000006"]
