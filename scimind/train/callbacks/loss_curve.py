"""The callback that records the loss and draws its curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindformers.tools.register import MindFormerModuleType, MindFormerRegister
from mindspore.train import Callback

from scimind.runtime.loss_curve import LossTable, draw_loss_curve
from scimind.train.run import TrainingRun


@MindFormerRegister.register(MindFormerModuleType.CALLBACK)
class SciMindLossCurve(Callback):
    """Writes `loss.csv` during the run and draws `loss.png` at intervals and at the end.

    Args:
        run: The training.
        names: Names of the evaluation data, each with its own column.
        answers: Names of the scores of generated answers, each with its own column.
        plot_interval: Steps between two drawings.
    """

    def __init__(
        self, run: TrainingRun, names: Sequence[str] = (), answers: Sequence[str] = (), plot_interval: int = 500
    ) -> None:
        super().__init__()
        self._run, self._plot_interval = run, plot_interval
        self._names = [name for name in names if name]
        self._answers = answers
        self._next_plot = plot_interval
        self._table: LossTable | None = None

    def on_train_begin(self, run_context: Any) -> None:
        """Opens the table; its first rows are an earlier run's steps, or an evaluation before the first step."""
        self._table = LossTable(self._run.folder.loss_table, self._run.records, self._names, self._answers)
        self._next_plot += self._run.step

    def on_train_step_end(self, run_context: Any) -> None:
        """Writes the step's row."""
        if self._table is not None:
            self._table.add(self._run.records[-1])
        if self._plot_interval > 0 and self._run.step >= self._next_plot:
            self._next_plot = self._run.step + self._plot_interval
            draw_loss_curve(self._run.records, self._run.folder.loss_plot)

    def finish(self) -> None:
        """Closes the table and draws the curve, regardless of how the run ended."""
        if self._table is not None:
            self._table.close()
            draw_loss_curve(self._run.records, self._run.folder.loss_plot)
            self._table = None
