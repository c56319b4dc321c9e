"""The result of a finetuning: the returned object, and `result.json` in the run's folder."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from scimind.checkpoint.finding import OPTIMIZERS
from scimind.errors import SciMindError
from scimind.runtime.console import duration
from scimind.runtime.measurements import EvaluationScore
from scimind.runtime.run_folder import plain, replace_text
from scimind.train.run import TrainingRun


@dataclass(frozen=True)
class FinetuneResult:
    """The result of a finetuning.

    Args:
        output_dir: The run's folder.
        checkpoint: The last checkpoint, as input for `predict`; None if none was written.
        steps: Number of completed steps.
        total_steps: Number of planned steps.
        first_loss: Loss of the first step; NaN if there was none.
        last_loss: Loss of the last step.
        first_evaluation: Score before the first step; None if nothing was evaluated.
        last_evaluation: Score of the last evaluation.
        best_evaluation: Score of the evaluation with the lowest loss.
        best_step: Step of the best evaluation.
        seconds: Duration of the training.
        stop_signal: The signal that ended the run early; None if it was completed.
        first_step: Steps completed by an earlier run; 0 for a run from the beginning.
        skipped_steps: Steps that overflowed and changed no weights.
    """

    output_dir: Path
    checkpoint: Path | None
    steps: int
    total_steps: int
    first_loss: float
    last_loss: float
    first_evaluation: EvaluationScore | None
    last_evaluation: EvaluationScore | None
    best_evaluation: EvaluationScore | None
    best_step: int | None
    seconds: float
    stop_signal: int | None
    first_step: int = 0
    skipped_steps: int = 0

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal ended the run early."""
        return self.stop_signal is not None

    @property
    def can_be_resumed(self) -> bool:
        """Whether the last checkpoint has the optimizer's state, which a resumed run needs."""
        return self.checkpoint is not None and any((self.checkpoint / name).is_file() for name in OPTIMIZERS)

    @property
    def exit_status(self) -> int:
        """0, or the status that a shell expects of a process ended by a signal."""
        return 0 if self.stop_signal is None else 128 + self.stop_signal


def finish(run: TrainingRun) -> FinetuneResult:
    """Writes `result.json`, prints where the files are, and returns the result."""
    trained = [record for record in run.records if record.step > 0]
    scores = [record.evaluation for record in run.records if record.evaluation is not None]
    result = FinetuneResult(
        output_dir=run.folder.root,
        checkpoint=run.last_checkpoint,
        steps=run.step,
        total_steps=run.total_steps,
        first_loss=trained[0].loss if trained else math.nan,
        last_loss=trained[-1].loss if trained else math.nan,
        first_evaluation=run.records[0].evaluation if run.records and run.records[0].step == 0 else None,
        last_evaluation=scores[-1] if scores else None,
        best_evaluation=run.best.evaluation if run.best else None,
        best_step=run.best.step if run.best else None,
        seconds=run.seconds,
        stop_signal=run.stop_signal,
        first_step=run.first_step,
        skipped_steps=run.skipped_steps,
    )
    if run.folder.is_reporter:
        values = {name: None if value != value else value for name, value in plain(asdict(result)).items()}  # no NaN
        replace_text(run.folder.root / "result.json", json.dumps(values, indent=2) + "\n")
    if not result.is_interrupted and result.steps < result.total_steps:
        raise SciMindError(
            f"the data ended at step {result.steps} of {result.total_steps}; see the log {run.folder.log_file}"
        )
    run.console.print(
        f"{'stopped' if result.is_interrupted else 'done'}: {result.steps} steps in {duration(result.seconds)}, loss "
        f"{result.first_loss:.4f} -> {result.last_loss:.4f}"
    )
    for label, path in (("loss curve", run.folder.loss_plot), ("checkpoint", result.checkpoint)):
        if path is not None and path.exists():
            run.console.print(f"{label}: {path}")
    return result
