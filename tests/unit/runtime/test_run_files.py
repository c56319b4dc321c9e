"""The run's folder, its loss table and its loss curve."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from scimind.errors import SciMindError
from scimind.runtime.loss_curve import LossTable, draw_loss_curve, read_loss_table
from scimind.runtime.measurements import EvaluationScore, StepRecord
from scimind.runtime.run_folder import RunFolder, worker


def test_the_folder_is_made_and_described(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a" / "b", "finetune")
    folder.write_description({"seed": 1, "path": Path("x"), "sizes": (1, 2)})
    assert yaml.safe_load((folder.root / "resolved_config.yaml").read_text()) == {
        "seed": 1,
        "path": "x",
        "sizes": [1, 2],
    }
    assert json.loads((folder.root / "versions.json").read_text())["scimind"]
    assert sorted(path.name for path in folder.root.iterdir()) == ["log", "resolved_config.yaml", "versions.json"]


def test_a_folder_without_room_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SciMindError, match="MiB free, the run writes .* make room"):
        RunFolder.create(tmp_path, "finetune", needed_bytes=2**60)


def test_workers_have_logs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK_ID", "3")
    monkeypatch.setenv("RANK_SIZE", "8")
    assert worker() == (3, 8)
    folder = RunFolder.create(tmp_path, "finetune", rank=3, is_reporter=False)
    assert folder.log_file == tmp_path / "log" / "finetune_rank_3.log"


def test_earlier_runs_are_set_aside_one_by_one(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "finetune")
    folder.checkpoint.mkdir()
    assert folder.set_earlier_run_aside() is None
    for number in (1, 2):
        folder.loss_table.write_text(str(number))
        assert folder.set_earlier_run_aside() == tmp_path / "earlier" / str(number)
        assert not folder.loss_table.exists()
    assert (tmp_path / "earlier" / "1" / "loss.csv").read_text() == "1"
    folder.remove_empty_folders()
    assert not folder.checkpoint.exists()


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


def test_a_table_is_read_up_to_a_step_and_goes_on(tmp_path: Path) -> None:
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
    assert (score.loss, score.accuracy, score.tokens, score.records) == (1.75, 0.625, 40, 5)
    assert EvaluationScore.of_json(asdict(score)) == score
    table = LossTable(path, [StepRecord(1, 0.1, 1.5, 1e-3, 0.5, score), StepRecord(2, 0.2, 1.5, 1e-3, 0.7)], ["a", "b"])
    table.close()
    assert path.read_text().splitlines()[0].endswith(",eval_loss a,eval_accuracy a,eval_loss b,eval_accuracy b")
    first, second = read_loss_table(path, 2, score)
    assert second.evaluation is None and first.evaluation is not None
    found = {name: (part.loss, part.accuracy) for name, part in first.evaluation.parts.items()}
    assert found == {"a": (2.0, 0.5), "b": (1.0, 1.0)}
    draw_loss_curve([first, second], tmp_path / "loss.png")
    assert math.isnan(EvaluationScore.of_parts({"a": EvaluationScore(math.nan, math.nan, 0, 3)}).loss)


def test_checkpoints_behind_the_one_that_is_used_are_set_aside(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "finetune")
    for step in (10, 20):
        (folder.checkpoint / f"step_{step:06d}").mkdir(parents=True)
    folder.loss_table.write_text("losses")
    assert folder.set_later_steps_aside([]) is None
    assert folder.set_later_steps_aside([folder.checkpoint / "step_000020"]) == tmp_path / "earlier" / "1"
    assert [path.name for path in folder.checkpoint.iterdir()] == ["step_000010"]
    assert [path.name for path in (tmp_path / "earlier" / "1" / "checkpoint").iterdir()] == ["step_000020"]
    assert (tmp_path / "earlier" / "1" / "loss.csv").read_text() == folder.loss_table.read_text() == "losses"


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_curve_is_drawn_of_what_there_is(tmp_path: Path, count: int) -> None:
    records = [StepRecord(step, step / 10, 1 / step, 1e-3, step) for step in range(1, count + 1)]
    draw_loss_curve([StepRecord(0, 0, math.nan, math.nan, 0), *records], tmp_path / "loss.png")
    assert [path.name for path in tmp_path.iterdir()] == ["loss.png"]
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_perplexity_of_a_hopeless_loss_is_infinite() -> None:
    assert EvaluationScore(1000.0, 0.0, 1, 1).perplexity == math.inf
