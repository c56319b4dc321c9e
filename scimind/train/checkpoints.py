"""The callback that writes checkpoints."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from typing import Any

from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.checkpoint.finding import step_folders
from scimind.checkpoint.weights import save_checkpoint
from scimind.train.state import TrainingRun


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindCheckpoint(Callback):
    """Writes weights, optimizer and description at intervals and when the run ends, and removes the oldest.

    Weights whose loss is not finite are worth nothing, and are not written.

    Args:
        run: The training.
        description: What `scimind.json` says of the model.
        save_checkpoint_steps: Steps between two checkpoints; 0 writes at the end only.
        keep_checkpoint_max: Checkpoints to keep; the best evaluated one stays too.
        checkpoint_format: "ckpt" or "safetensors".
        save_optimizer: Whether the optimizer's state is written, which a run that continues will need.
    """

    def __init__(
        self,
        run: TrainingRun,
        description: Mapping[str, Any],
        save_checkpoint_steps: int = 1000,
        keep_checkpoint_max: int = 2,
        checkpoint_format: str = "ckpt",
        save_optimizer: bool = True,
    ) -> None:
        super().__init__()
        self._run, self._description = run, description
        self._interval, self._keep = save_checkpoint_steps, max(1, keep_checkpoint_max)
        self._kind, self._save_optimizer = checkpoint_format, save_optimizer
        self._next_step = save_checkpoint_steps
        self._saved_step = -1

    def on_train_step_end(self, run_context: Any) -> None:
        """Writes a checkpoint at the intervals."""
        if self._interval > 0 and self._run.step >= self._next_step:
            self._next_step = self._run.step - self._run.step % self._interval + self._interval
            self._save(run_context)

    def on_train_end(self, run_context: Any) -> None:
        """Writes the last checkpoint, also of a run that was asked to stop."""
        if self._run.step > self._saved_step and self._run.step > 0:
            self._save(run_context)

    def _save(self, run_context: Any) -> None:
        run, wrapper = self._run, run_context.original_args().train_network
        if not math.isfinite(run.records[-1].loss):
            run.console.print(f"step {run.step}: no checkpoint, the loss is {run.records[-1].loss}")
            return
        optimizer = wrapper.optimizer
        of_optimizer = {parameter.name for parameter in optimizer.get_parameters()} - {
            parameter.name for parameter in wrapper.network.get_parameters()
        }
        state = [parameter for parameter in optimizer.get_parameters() if parameter.name in of_optimizer]
        scale = getattr(wrapper, "scale_sense", None)
        if scale is not None and hasattr(scale, "name"):
            state.append(scale)
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
            wrapper.network.get_parameters(),
            state if self._save_optimizer else [],
            {**self._description, "training": training},
            kind=self._kind,
        )
        self._saved_step = run.step
        run.console.print(f"checkpoint: {run.last_checkpoint}")
        self._remove_oldest()

    def _remove_oldest(self) -> None:
        best = self._run.best.step if self._run.best is not None else -1
        for folder in step_folders(self._run.folder.checkpoint)[: -self._keep]:
            if folder.name != f"step_{best:06d}":
                shutil.rmtree(folder, ignore_errors=True)


def _json(value: float) -> float | None:
    """Returns a float that JSON can hold, None for the others."""
    return value if math.isfinite(value) else None
