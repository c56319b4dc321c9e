"""The loss of a run as a table and as a plot."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from scimind.runtime.loss_curve import LossTable, answer_scores, draw_loss_curve, moving_mean, read_loss_table
from scimind.runtime.measurements import EvaluationScore, StepRecord


def test_the_table_has_a_row_as_soon_as_a_step_is_done(tmp_path: Path) -> None:
    table = LossTable(tmp_path / "loss.csv")
    table.add(StepRecord(0, 0.0, math.nan, math.nan, 0.5, EvaluationScore(2.0, 0.25, 8, 2)))
    table.add(StepRecord(1, 0.1, 1.5, 1e-3, 0.75))
    with open(tmp_path / "loss.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "epoch", "loss", "eval_loss", "learning_rate", "seconds", "eval_accuracy"]
    assert (rows[0]["loss"], rows[0]["eval_loss"], rows[0]["eval_accuracy"]) == ("", "2.000000", "0.250000")
    assert (rows[1]["loss"], rows[1]["eval_loss"], rows[1]["learning_rate"]) == ("1.500000", "", "1.000000e-03")
    table.close()


def test_a_table_is_read_up_to_a_step_and_continued(tmp_path: Path) -> None:
    path, score = tmp_path / "loss.csv", EvaluationScore(2.0, 0.25, 8, 2)
    table = LossTable(path)
    records = [StepRecord(0, 0.0, math.nan, math.nan, 0.5, score)]
    records += [StepRecord(step, step / 4, 1.5 / step, 1e-3, 1.0 + step) for step in range(1, 6)]
    for record in records:
        table.add(record)
    table.close()
    whole = path.read_text().splitlines()
    with path.open("a") as file:
        file.write("6,1.5,0.2")  # the process was killed here
    read = read_loss_table(path, 4, score)
    assert [record.step for record in read] == [0, 1, 2, 3, 4]
    assert read[0].evaluation == score
    assert read[4] == records[4]
    assert [record.step for record in read_loss_table(path, 9)][-1] == 5
    table = LossTable(path, read)
    table.add(records[5])
    table.close()
    assert path.read_text().splitlines() == whole
    assert read_loss_table(tmp_path / "absent.csv", 4) == []


def test_a_table_has_columns_for_each_name(tmp_path: Path) -> None:
    path = tmp_path / "loss.csv"
    score = EvaluationScore.of_parts({"a": EvaluationScore(2.0, 0.5, 30, 3), "b": EvaluationScore(1.0, 1.0, 10, 2)})
    table = LossTable(path, [StepRecord(1, 0.1, 1.5, 1e-3, 0.5, score), StepRecord(2, 0.2, 1.5, 1e-3, 0.7)], ["a", "b"])
    table.close()
    assert path.read_text().splitlines()[0].endswith(",eval_loss a,eval_accuracy a,eval_loss b,eval_accuracy b")
    first, second = read_loss_table(path, 2, score)
    assert second.evaluation is None and first.evaluation is not None
    found = {name: (part.loss, part.accuracy) for name, part in first.evaluation.parts.items()}
    assert found == {"a": (2.0, 0.5), "b": (1.0, 1.0)}
    draw_loss_curve([first, second], tmp_path / "loss.png")


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_curve_is_drawn_from_what_there_is(tmp_path: Path, count: int) -> None:
    records = [StepRecord(step, step / 10, 1 / step, 1e-3, step) for step in range(1, count + 1)]
    draw_loss_curve([StepRecord(0, 0, math.nan, math.nan, 0), *records], tmp_path / "loss.png")
    assert [path.name for path in tmp_path.iterdir()] == ["loss.png"]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [1, 19, 20, 500])
def test_the_moving_mean_is_that_of_a_twentieth_of_the_run(count: int) -> None:
    values = np.random.default_rng(0).random(count)
    width = max(1, count // 20)
    means = [values[max(0, end - width) : end].mean() for end in range(1, count + 1)]
    np.testing.assert_allclose(moving_mean(values.tolist()), means, rtol=1e-12)


def test_the_curve_shows_the_losses_that_were_measured(tmp_path: Path) -> None:
    """Read back from images: the same run draws the same image, another loss or a named score a different one."""
    records = [StepRecord(step, step / 10, 1 / step, 1e-3, step) for step in range(1, 41)]
    images = {}
    for name, drawn in {
        "once": records,
        "again": records,
        "higher": [*records[:-1], StepRecord(40, 4.0, 2.0, 1e-3, 40)],
        "unknown": [*records, StepRecord(41, 4.1, math.nan, 1e-3, 41)],
        "scored": [*records[:-1], StepRecord(40, 4.0, 1 / 40, 1e-3, 40, EvaluationScore(1.0, 0.5, 8, 2))],
    }.items():
        draw_loss_curve(drawn, tmp_path / f"{name}.png")
        images[name] = (tmp_path / f"{name}.png").read_bytes()
    assert images["once"] == images["again"] == images["unknown"]  # a step without a loss is not drawn
    assert len(set(images.values())) == 3


def test_a_table_has_columns_for_the_scores_of_answers(tmp_path: Path) -> None:
    path = tmp_path / "loss.csv"
    scores = [{"valid": 0.25, "rmse": math.nan}, {"valid": 0.75, "rmse": 1.5}]
    records = [
        StepRecord(step, step / 4, 1.0, 1e-3, 1.0, EvaluationScore(2.0, 0.25, 0, 0, answers=score))
        for step, score in enumerate(scores, start=1)
    ]
    LossTable(path, [*records, StepRecord(3, 0.75, 1.0, 1e-3, 1.5)], answers=["valid", "rmse"]).close()
    lines = path.read_text().splitlines()
    assert lines[0].endswith(",eval_accuracy,answers_valid,answers_rmse")
    assert [line.split(",")[-2:] for line in lines[1:]] == [["0.250000", ""], ["0.750000", "1.500000"], ["", ""]]
    read = read_loss_table(path)
    assert [record.evaluation and record.evaluation.answers for record in read] == [
        {"valid": 0.25},
        {"valid": 0.75, "rmse": 1.5},
        None,
    ]
    assert answer_scores(read) == {"valid": [(1, 0.25), (2, 0.75)], "rmse": [(2, 1.5)]}
    draw_loss_curve(read, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
