"""The state that the callbacks of a training share."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from scimind.runtime.console import Console
from scimind.runtime.measurements import EvaluationScore, StepRecord
from scimind.runtime.run_folder import RunFolder
from scimind.train.workers.workers import Workers


@dataclass
class TrainingRun:
    """The state of a training, read and written by its callbacks.

    Args:
        folder: The run's folder.
        console: The console for the user.
        total_steps: Number of steps in total.
        steps_per_epoch: Steps in one pass over the data.
        tokens_per_step: Tokens of a global batch, including padding.
        workers: The processes that train together.
        first_step: Steps completed by the earlier run from whose checkpoint this one resumes.
        earlier_seconds: Duration of that run.
        skipped_steps: Steps that overflowed and changed no weights.
        failure: Why the training has to end; None if nothing went wrong.

    Attributes:
        received_signal: The signal that asked this worker to stop.
        stop_signal: The signal on which all workers agreed to stop after the same step.
    """

    folder: RunFolder
    console: Console
    total_steps: int
    steps_per_epoch: int
    tokens_per_step: int
    first_step: int = 0
    earlier_seconds: float = 0.0
    skipped_steps: int = 0
    failure: str | None = None
    start: float = field(default_factory=time.monotonic)
    records: list[StepRecord] = field(default_factory=list)
    best: StepRecord | None = None
    last_checkpoint: Path | None = None
    received_signal: int | None = None
    stop_signal: int | None = None
    workers: Workers = field(default_factory=Workers)

    @property
    def step(self) -> int:
        """Number of completed steps, including those of an earlier run."""
        return max(self.first_step, self.records[-1].step if self.records else 0)

    @property
    def seconds(self) -> float:
        """Seconds since the start, including those of an earlier run."""
        return self.earlier_seconds + time.monotonic() - self.start

    def agree_to_stop(self) -> bool:
        """Whether any worker was asked to stop or failed; all workers call it after a step and get the same answer."""
        if self.stop_signal is None:
            signals = [float(self.received_signal or 0), float(self.failure is not None)]
            number, has_failure = self.workers.gather(signals).max(axis=0)
            self.stop_signal = int(number) or None
            if has_failure and self.failure is None:
                self.failure = "the training of another worker failed; its log says why"
        return self.stop_signal is not None or self.failure is not None

    def lacks_evaluation(self) -> bool:
        """Whether no evaluation followed the step after which this run resumes; the same for all workers."""
        last = self.records[-1] if self.records else None
        lacks = last is not None and last.step == self.first_step > 0 and last.evaluation is None
        return self.workers.largest(float(lacks)) > 0

    def add_step(self, step: int, loss: float, learning_rate: float) -> StepRecord:
        """Records a completed step."""
        record = StepRecord(step, step / self.steps_per_epoch, loss, learning_rate, self.seconds)
        self.records.append(record)
        return record

    def add_evaluation(self, score: EvaluationScore) -> bool:
        """Records an evaluation after the latest step, or before the first.

        Returns:
            Whether it is the best so far.
        """
        if not self.records:
            step = self.first_step
            self.records.append(StepRecord(step, step / self.steps_per_epoch, math.nan, math.nan, self.seconds))
        self.records[-1].evaluation = score
        is_best = self.best is None or self.best.evaluation is None or score.loss < self.best.evaluation.loss
        if is_best:
            self.best = self.records[-1]
        return is_best
