"""From a table to a report by commands that name no task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimind.cli import main

SMILES = ["C" * n for n in range(1, 31)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my.csv"
    path.write_text("\n".join(["smiles,pIC50", *(f"{s},{4 + n / 10:.2f}" for n, s in enumerate(SMILES))]) + "\n")
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def prepare(table: Path, *arguments: object) -> int:
    output = table.parent / "data"
    return run("prepare", "--table", table, "--output", output, "--seq_length", 64, "--workers", 1, *arguments)


def test_a_table_becomes_data_whose_predictions_are_scored_without_naming_the_task(table, tmp_path, capsys):
    columns = ("--molecule", "smiles", "--target", "pIC50", "--kind", "number", "--test_fraction", 0.3)
    assert prepare(table, *columns) == 0
    assert "my.task.yaml" in capsys.readouterr().out
    task = tmp_path / "data" / "my.task.yaml"
    talks = json.loads((tmp_path / "data" / "my_test.json").read_text())
    predictions = tmp_path / "p.jsonl"
    rows = [
        {"id": talk["id"], "output": f"{float(talk['conversation'][1]['value']) + 0.5:.1f}"}
        | {"reference": talk["conversation"][1]["value"], "prompt": talk["conversation"][0]["value"]}
        for talk in talks
    ]
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ("--predictions", predictions, "--bootstrap", 20)
    assert run("evaluate", *arguments) == 2
    assert "no task; give --task TASK" in capsys.readouterr().err
    record = tmp_path / "p.jsonl.run.json"
    record.write_text(json.dumps({"task": "pIC50", "task_file": str(task)}))
    assert run("evaluate", *arguments) == 0
    printed = capsys.readouterr().out
    assert "rmse           0.5000  [0.5000, 0.5000]" in printed
    assert "the mean of the training values" in printed
    assert run("report", *arguments, "--output", tmp_path / "r.html") == 0
    html = (tmp_path / "r.html").read_text()
    assert "<title>my: p.jsonl</title>" in html and 'class="point"' in html


@pytest.mark.parametrize("content", ["[]", "{", '{"task_file": "task.py"}', '{"task": "my own"}', '{"task": ["moa"]}'])
def test_a_record_that_names_no_known_task_is_not_followed(tmp_path, capsys, content):
    (tmp_path / "p.jsonl").write_text('{"id": "1", "output": "yes", "reference": "no"}\n')
    (tmp_path / "p.jsonl.run.json").write_text(content)
    assert run("evaluate", "--predictions", tmp_path / "p.jsonl") == 2
    assert "no task; give --task TASK" in capsys.readouterr().err


def test_the_task_of_predictions_may_be_one_of_ours(tmp_path, capsys):
    (tmp_path / "p.jsonl").write_text('{"output": "yes", "reference": "no"}\n{"output": "yes", "reference": "yes"}\n')
    (tmp_path / "p.jsonl.run.json").write_text('{"task": "promoter", "task_file": null}')
    assert run("evaluate", "--predictions", tmp_path / "p.jsonl", "--bootstrap", 0) == 0
    assert "promoter: 2 items" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--molecule", "smiles"], "--table needs --target, --kind; give the columns"),
        (["--molecule", "smi", "--target", "pIC50", "--kind", "number"], "no column for the molecule"),
        (["--molecule", "smiles", "--target", "IC50", "--kind", "number"], "no column for the answer"),
        (["--molecule", "smiles", "--target", "pIC50", "--kind", "number", "--columns", "a=b"], "does not work with"),
        (["--molecule", "smiles", "--target", "pIC50", "--kind", "labels", "--digits", "2"], "only for --kind number"),
        (["--molecule", "smiles", "--target", "pIC50", "--kind", "number", "--digits", "-1"], "must be at least 0"),
        (["--molecule", "smiles", "--target", "pIC50", "--kind", "number", "--input", "x.csv"], "leave --input out"),
    ],
)
def test_a_mistake_ends_in_one_line(table, capsys, arguments, message):
    assert prepare(table, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (table.parent / "data").exists()


def test_settings_of_tables_need_a_table(table, capsys):
    assert run("prepare", "--task", "moa", "--input", table, "--output", table.parent / "d", "--kind", "number") == 2
    assert "--kind: only --table has such settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "x.json", "--output", "y.txt", "--report", "r.html"], "--report needs --input FILE and --output"),
        (["--input", "x.json", "--output", "y.jsonl", "--report", "r.pdf"], "a report must end in .html"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_the_model_is_loaded(capsys, arguments, message):
    assert run("predict", "--config", "scimind_nano_predict", *arguments) == 2
    assert message in capsys.readouterr().err
