"""The loss of a run as a table, written during the run, and as a plot."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from scimind.atomic import new_file
from scimind.errors import SciMindError
from scimind.runtime.measurements import EvaluationScore, StepRecord

COLUMNS = ("step", "epoch", "loss", "eval_loss", "learning_rate", "seconds", "eval_accuracy")
_LOSS_OF, _ACCURACY_OF = "eval_loss ", "eval_accuracy "  # and a name
_ANSWERS = "answers_"  # and the name of a score of generated answers
_NOT_SHARES = ("rmse",)


class LossTable:
    """`loss.csv`: one row per step; cells are empty if nothing was measured.

    Args:
        path: The file; it is replaced atomically.
        records: The first rows.
        names: Names of the evaluation data; each has its own columns after the others.
        answers: Names of the scores of generated answers; each has a column after those.
    """

    def __init__(
        self, path: Path, records: Sequence[StepRecord] = (), names: Sequence[str] = (), answers: Sequence[str] = ()
    ) -> None:
        self._path, self._names, self._answers = path, names, answers
        with new_file(path) as temporary:
            self._file: TextIO = open(temporary, "w", newline="", encoding="utf-8")  # noqa: SIM115  # for the whole run
            self._writer = csv.writer(self._file)
            parts = [f"{what}{name}" for name in names for what in (_LOSS_OF, _ACCURACY_OF)]
            self._write((*COLUMNS, *parts, *(f"{_ANSWERS}{name}" for name in answers)))
            for record in records:
                self.add(record)

    def add(self, record: StepRecord) -> None:
        """Writes a row; it is flushed to the file before this returns."""
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
                *(cell for name in self._names for cell in _cells(score.parts.get(name) if score else None)),
                *(_number(score.answers.get(name)) if score else "" for name in self._answers),
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


def _cells(score: EvaluationScore | None) -> tuple[str, str]:
    return ("", "") if score is None else (f"{score.loss:.6f}", f"{score.accuracy:.6f}")


def _number(value: float | None) -> str:
    """Returns a cell; an empty one for None and NaN."""
    return "" if value is None or math.isnan(value) else f"{value:.6f}"


def read_loss_table(path: Path, last_step: float = math.inf, score: EvaluationScore | None = None) -> list[StepRecord]:
    """Returns the rows of a `loss.csv`; none if the file does not exist.

    Args:
        path: The file.
        last_step: Rows after this step are left out, as are rows that a killed process did not finish.
        score: An evaluation of the same run, for its tokens and records, which the table does not hold.
    """
    if not path.is_file():
        return []
    records: list[StepRecord] = []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for row in csv.DictReader(file):
            with suppress(TypeError, ValueError, KeyError):
                record = _record_of(row, score)
                if record.step <= last_step and (not records or record.step > records[-1].step):
                    records.append(record)
    return records


def _record_of(row: Mapping[str, str], score: EvaluationScore | None) -> StepRecord:
    """Returns a row as it was added; values that were not measured are NaN."""
    evaluation = None
    if row["eval_loss"]:
        sizes = (score.tokens, score.records) if score else (0, 0)
        names = [key.removeprefix(_LOSS_OF) for key in row if key and key.startswith(_LOSS_OF) and row[key]]
        parts = {
            name: EvaluationScore(float(row[_LOSS_OF + name]), float(row[_ACCURACY_OF + name]), 0, 0) for name in names
        }
        answers = {
            key.removeprefix(_ANSWERS): float(cell)
            for key, cell in row.items()
            if key and key.startswith(_ANSWERS) and cell
        }
        evaluation = EvaluationScore(
            float(row["eval_loss"]), float(row["eval_accuracy"]), *sizes, parts=parts, answers=answers
        )
    loss, rate = (float(row[key] or "nan") for key in ("loss", "learning_rate"))
    return StepRecord(int(row["step"]), float(row["epoch"]), loss, rate, float(row["seconds"]), evaluation)


def draw_loss_curve(records: Sequence[StepRecord], path: Path, label: str = "loss of an answer's token (nats)") -> None:
    """Draws `loss.png`: the loss of each step, its moving mean, and the loss of evaluations.

    If evaluations generated answers, a second plot below has their scores.

    Args:
        records: The run so far; may have fewer than two steps.
        path: The image; it is replaced once the new one is complete.
        label: The name of the loss.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scores = answer_scores(records)
    figure = Figure(figsize=(8, 7 if scores else 4.5), dpi=120, layout="tight")
    FigureCanvasAgg(figure)
    plots = figure.subplots(2 if scores else 1, sharex=True, squeeze=False)[:, 0]
    _draw_losses(plots[0], records, label)
    if scores:
        _draw_answers(plots[1], scores)
    plots[-1].set_xlabel("step")
    with new_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix("."))


def _draw_losses(axes: Any, records: Sequence[StepRecord], label: str) -> None:
    trained = [record for record in records if math.isfinite(record.loss)]
    evaluated = [(record.step, record.evaluation.loss) for record in records if record.evaluation]
    if trained:
        steps, losses = [record.step for record in trained], [record.loss for record in trained]
        axes.plot(steps, losses, color="tab:blue", alpha=0.35, linewidth=1, label="training, each step")
        axes.plot(steps, moving_mean(losses), color="tab:blue", linewidth=1.8, label="training, moving mean")
    if evaluated:
        axes.plot(*zip(*evaluated, strict=True), color="tab:orange", marker="o", markersize=4, label="evaluation")
    for name, points in _parts_of(records).items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=f"evaluation, {name}")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if trained or evaluated:
        axes.legend()


def _draw_answers(axes: Any, scores: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Draws shares from 0 to 1, and errors, if there are any, on an axis at the right."""
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("generated answers (share)")
    axes.grid(alpha=0.3)
    errors = axes.twinx() if any(name in scores for name in _NOT_SHARES) else axes
    if errors is not axes:
        errors.set_ylabel("error")
    lines = []
    for number, (name, points) in enumerate(scores.items()):
        where = errors if name in _NOT_SHARES else axes
        lines += where.plot(*zip(*points, strict=True), color=f"C{number}", marker="o", markersize=4, label=name)
    axes.legend(handles=lines)


def answer_scores(records: Sequence[StepRecord]) -> dict[str, list[tuple[int, float]]]:
    """Returns step and value of each score of generated answers, by name, without those that are not known."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for name, value in record.evaluation.answers.items() if record.evaluation else ():
            if not math.isnan(value):
                points.setdefault(name, []).append((record.step, value))
    return points


def _parts_of(records: Sequence[StepRecord]) -> dict[str, list[tuple[int, float]]]:
    """Returns step and loss of the evaluations by name."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for name, part in record.evaluation.parts.items() if record.evaluation else ():
            points.setdefault(name, []).append((record.step, part.loss))
    return points


def moving_mean(values: Sequence[float], part: int = 20) -> list[float]:
    """Returns the moving mean of each value and those before it, over one `part`th of the run."""
    width = max(1, len(values) // part)
    total, means = 0.0, []
    for index, value in enumerate(values):
        total += value - (values[index - width] if index >= width else 0.0)
        means.append(total / min(index + 1, width))
    return means
