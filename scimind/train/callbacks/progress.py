"""The callback that shows the progress of a training and ends the run at its last step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.runtime.console import Progress, duration
from scimind.runtime.measurements import StepRecord
from scimind.train.run import TrainingRun

_MOST_OVERFLOWS = 20


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindProgress(Callback):
    """Shows step, loss, learning rate, speed and remaining time; ends the run at its last step or on request.

    Args:
        run: The training.
        step_interval: Steps between two lines without a terminal.
    """

    def __init__(self, run: TrainingRun, step_interval: int = 10) -> None:
        super().__init__()
        self._run, self._step_interval = run, step_interval
        self._bar: Progress | None = None
        self._overflows = 0
        self._first_record: StepRecord | None = None
        self._last_step = 0

    def on_train_begin(self, run_context: Any) -> None:
        """Opens the bar."""
        run = self._run
        steps = f"steps {run.first_step + 1} to {run.total_steps}" if run.first_step else f"{run.total_steps} steps"
        run.console.print(f"training {steps}; the first one compiles the model and takes longest")
        self._bar = run.console.progress(
            run.total_steps, unit="step", every=self._step_interval, initial=run.first_step
        )

    def on_train_step_end(self, run_context: Any) -> None:
        """Records and shows the step, and stops the run at its end."""
        run, cell = self._run, run_context.original_args()
        outputs = cell.net_outputs if isinstance(cell.net_outputs, (tuple, list)) else (cell.net_outputs,)
        loss = _scalar(outputs[0])
        rate = _scalar(outputs[3]) if len(outputs) > 3 else math.nan
        done = int(cell.cur_step_num) - self._last_step
        self._last_step = int(cell.cur_step_num)
        record = run.add_step(run.first_step + self._last_step, loss, rate)
        if self._first_record is None:  # this step compiles, which would distort the speed
            self._first_record = record
        is_moving = getattr(cell.train_network, "loss_scaling_manager", None) is not None
        scale = _scalar(outputs[2]) if is_moving and len(outputs) > 2 else None
        overflows = len(outputs) > 1 and bool(_scalar(outputs[1]))
        self._check(record, scale, overflows)
        if self._bar is not None:
            self._bar.advance(done, self._describe(loss, rate, scale))
        if run.agree_to_stop() or record.step >= run.total_steps:
            run_context.request_stop()

    def on_train_end(self, run_context: Any) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()

    def _describe(self, loss: float, rate: float, scale: float | None) -> str:
        run = self._run
        text = f"loss {loss:.4f}  lr {rate:.2e}"
        if scale is not None:
            text += f"  scale {scale:g}  skipped {run.skipped_steps}"
        first = self._first_record
        if first is not None and run.step > first.step:
            seconds_per_step = (run.seconds - first.seconds) / (run.step - first.step)
            left = seconds_per_step * (run.total_steps - run.step)
            text += f"  {run.tokens_per_step / seconds_per_step:,.0f} tokens/s"
            text += f"  {duration(left)} left" if left else ""
        return text

    def _check(self, record: StepRecord, scale: float | None, overflows: bool) -> None:
        """Counts skipped steps, and ends a run that a smaller loss scale cannot save.

        Args:
            record: The step.
            scale: The next step's loss scale; None if it is fixed.
            overflows: Whether the step's gradients were not finite, so that the weights were not changed.
        """
        run = self._run
        run.skipped_steps += overflows
        is_finite = math.isfinite(record.loss)
        self._overflows = self._overflows + 1 if overflows or not is_finite else 0
        is_curable = is_finite or (overflows and scale is not None)
        if overflows and is_curable and self._overflows < _MOST_OVERFLOWS:
            moved = "" if scale is None else f"; loss scale {scale:g}"
            run.console.print(f"step {record.step}: overflow, no weights were changed{moved}")
        elif not is_curable or self._overflows >= _MOST_OVERFLOWS:
            what = f"the loss is {record.loss}" if not is_finite else f"{self._overflows} steps overflowed"
            good = run.last_checkpoint or "none was written"
            run.failure = (
                f"step {record.step}: {what}; last good checkpoint: {good}; lower lr_schedule.learning_rate or use a "
                "wider compute_dtype"
            )


def _scalar(value: Any) -> float:
    """Returns a one-element tensor as a float."""
    array = value.asnumpy() if hasattr(value, "asnumpy") else np.asarray(value)
    return float(np.asarray(array, np.float64).reshape(-1)[0])
