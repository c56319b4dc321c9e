"""Which checkpoints are kept."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import mindspore as ms
import pytest
from mindspore import nn

from scimind.checkpoint.finding import find_checkpoint, step_folders
from scimind.console import quiet_console
from scimind.run_folder import RunFolder
from scimind.train.checkpoints import SciMindCheckpoint
from scimind.train.state import EvaluationScore, TrainingRun
from scimind.train.step import SciMindTrainOneStepCell


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    network = nn.Dense(2, 2)
    wrapper = SciMindTrainOneStepCell(network, nn.Adam(network.trainable_params(), learning_rate=0.1))
    original = SimpleNamespace(train_network=wrapper)
    context = SimpleNamespace(original_args=lambda: original)
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
        callback.on_train_end(context)  # writes nothing twice
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
