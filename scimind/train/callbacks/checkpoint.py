"""The callback that writes checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import mindspore as ms
import numpy as np
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.atomic import remove_folder
from scimind.checkpoint.finding import step_folders
from scimind.checkpoint.weights import save_checkpoint
from scimind.train.resume.state import random_state, state_parameters
from scimind.train.run import TrainingRun


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindCheckpoint(Callback):
    """Writes checkpoints (weights, state and description) at intervals and at the end, and removes the oldest.

    Weights that are not finite, or whose loss is not, are useless and are not written.

    Args:
        run: The training.
        description: The content of `scimind.json`, see `describe_model`.
        position: The content of `training.json`, see `describe_position`; None writes no such file.
        save_checkpoint_steps: Steps between two checkpoints; 0 writes only at the end.
        keep_checkpoint_max: Number of checkpoints to keep, in addition to the best evaluated one.
        checkpoint_format: "ckpt" or "safetensors".
        save_optimizer: Whether the optimizer's state is written, which is needed to resume from the checkpoint.
    """

    def __init__(
        self,
        run: TrainingRun,
        description: Mapping[str, Any],
        position: Mapping[str, Any] | None = None,
        save_checkpoint_steps: int = 1000,
        keep_checkpoint_max: int = 2,
        checkpoint_format: str = "ckpt",
        save_optimizer: bool = True,
    ) -> None:
        super().__init__()
        self._run, self._description, self._position = run, description, position
        self._interval, self._keep = save_checkpoint_steps, max(1, keep_checkpoint_max)
        self._kind, self._save_optimizer = checkpoint_format, save_optimizer
        self._saved_step = run.first_step
        self._next_step = run.first_step - run.first_step % max(1, save_checkpoint_steps) + save_checkpoint_steps

    def on_train_step_end(self, run_context: Any) -> None:
        """Writes a checkpoint if one is due."""
        if self._interval > 0 and self._run.step >= self._next_step:
            self._next_step = self._run.step - self._run.step % self._interval + self._interval
            self._save(run_context)

    def on_train_end(self, run_context: Any) -> None:
        """Writes the last checkpoint, also if the run was asked to stop."""
        if self._run.step > self._saved_step:
            self._save(run_context)

    def _save(self, run_context: Any) -> None:
        run, wrapper = self._run, run_context.original_args().train_network
        weights, state = list(wrapper.network.get_parameters()), state_parameters(wrapper)
        fault = _fault(run.records[-1].loss, weights, state)
        if fault is not None:
            run.console.print(f"step {run.step}: no checkpoint written, {fault}")
            return
        training: dict[str, Any] = {
            "step": run.step,
            "epoch": run.step / run.steps_per_epoch,
            "loss": _json(run.records[-1].loss),
        }
        score = run.records[-1].evaluation
        if score is not None:
            training |= {"eval_loss": _json(score.loss), "eval_accuracy": _json(score.accuracy)}
        run.last_checkpoint = save_checkpoint(
            run.folder.checkpoint,
            run.step,
            weights,
            state if self._save_optimizer else [],
            {**self._description, "training": training},
            kind=self._kind,
            training=None if self._position is None else {**self._position, **self._progress()},
        )
        self._saved_step = run.step
        run.console.print(f"checkpoint: {run.last_checkpoint}")
        self._remove_oldest()

    def _progress(self) -> dict[str, Any]:
        """Returns the progress of the run, for `training.json`."""
        run, best = self._run, self._run.best
        return {
            "step": run.step,
            "seconds": run.seconds,
            "skipped_steps": run.skipped_steps,
            "best_step": None if best is None else best.step,
            "best_evaluation": None if best is None or best.evaluation is None else asdict(best.evaluation),
            "random": random_state(),
        }

    def _remove_oldest(self) -> None:
        best = self._run.best.step if self._run.best is not None else -1
        for folder in step_folders(self._run.folder.checkpoint)[: -self._keep]:
            if folder.name != f"step_{best:06d}":
                remove_folder(folder)


def _fault(loss: float, weights: Iterable[ms.Parameter], state: Iterable[ms.Parameter]) -> str | None:
    """Returns why a checkpoint would be useless, or None for a good one."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    for parameter in (*weights, *state):
        if parameter.dtype in (ms.float16, ms.float32, ms.bfloat16, ms.float64):
            value = parameter.astype(ms.float32) if parameter.dtype == ms.bfloat16 else parameter
            if not np.isfinite(value.asnumpy()).all():
                return f"{parameter.name} is not finite"
    return None


def _json(value: float) -> float | None:
    """Returns a float if JSON can represent it, else None."""
    return value if math.isfinite(value) else None
