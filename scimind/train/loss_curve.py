"""The loss of a run as a table, written as it goes, and as a plot."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from scimind.errors import SciMindError
from scimind.train.state import StepRecord

COLUMNS = ("step", "epoch", "loss", "eval_loss", "learning_rate", "seconds", "eval_accuracy")


class LossTable:
    """`loss.csv`: a row for each step, empty where nothing was measured.

    Args:
        path: The file; it is made anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115  # open for the whole run
        self._writer = csv.writer(self._file)
        self._write(COLUMNS)

    def add(self, record: StepRecord) -> None:
        """Writes a row; it is in the file when this returns."""
        score, is_step = record.evaluation, record.step > 0
        self._write(
            (
                str(record.step),
                f"{record.epoch:.4f}",
                f"{record.loss:.6f}" if is_step else "",
                f"{score.loss:.6f}" if score else "",
                f"{record.learning_rate:.6e}" if is_step else "",
                f"{record.seconds:.2f}",
                f"{score.accuracy:.6f}" if score else "",
            )
        )

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, row: Sequence[str]) -> None:
        try:
            self._writer.writerow(row)
            self._file.flush()
        except OSError as error:
            raise SciMindError(
                f"{self._path}: cannot be written ({error.strerror}); make room and start again"
            ) from error


def draw_loss_curve(records: Sequence[StepRecord], path: Path, label: str = "loss of an answer's token (nats)") -> None:
    """Draws `loss.png`: the loss of each step, its moving mean, and the loss of evaluations.

    Args:
        records: The run so far; fewer than two steps draw what there is.
        path: The image; it is replaced when the new one is whole.
        label: What the loss is of.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    trained = [record for record in records if math.isfinite(record.loss)]
    evaluated = [(record.step, record.evaluation.loss) for record in records if record.evaluation]
    if trained:
        steps, losses = [record.step for record in trained], [record.loss for record in trained]
        axes.plot(steps, losses, color="tab:blue", alpha=0.35, linewidth=1, label="training, each step")
        axes.plot(steps, _moving_mean(losses), color="tab:blue", linewidth=1.8, label="training, moving mean")
    if evaluated:
        axes.plot(*zip(*evaluated, strict=True), color="tab:orange", marker="o", markersize=4, label="evaluation")
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if trained or evaluated:
        axes.legend()
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    figure.savefig(temporary)
    os.replace(temporary, path)


def _moving_mean(values: Sequence[float]) -> list[float]:
    """Returns the mean of each value and those before it, over a twentieth of the run."""
    width = max(1, len(values) // 20)
    total, means = 0.0, []
    for index, value in enumerate(values):
        total += value - (values[index - width] if index >= width else 0.0)
        means.append(total / min(index + 1, width))
    return means
