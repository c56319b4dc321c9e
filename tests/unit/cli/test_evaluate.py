from __future__ import annotations

import json
import zipfile

import pytest

from scimind.cli import main


@pytest.fixture
def predictions(tmp_path):
    path = tmp_path / "predictions.jsonl"
    rows = [("a", "OCC", "CCO"), ("b", "C(", "CCO"), ("c", "", "CN"), ("d", "CN", "CN")]
    path.write_text("".join(json.dumps({"id": i, "output": o, "reference": r}) + "\n" for i, o, r in rows))
    return path


def run(*arguments):
    return main(["evaluate", *map(str, arguments)])


def test_scores_are_written_and_printed(predictions, tmp_path, capsys):
    output, items = tmp_path / "out" / "metrics.json", tmp_path / "items.tsv"
    assert run("--task", "text2smiles", "--predictions", predictions, "--output", output, "--items", items) == 0
    found = json.loads(output.read_text())
    assert found["metrics"]["validity"]["value"] == 0.5
    assert found["metrics"]["exact"]["value"] == 0.5
    assert found["metrics"]["exact"]["low"] <= 0.5 <= found["metrics"]["exact"]["high"]
    assert found["protocol_values"]["validity"] == 0.75
    assert (found["items"], found["counts"]["empty_outputs"]) == (4, 1)
    assert found["versions"]["rdkit"]
    assert "--fcd" in found["not_computed"]["fcd"]
    assert len(found["files"]["predictions"]["sha256"]) == 64
    header, *rows = (line.split("\t") for line in items.read_text().splitlines())
    assert [row[0] for row in rows] == ["a", "b", "c", "d"]
    assert [row[header.index("exact")] for row in rows] == ["true", "false", "false", "true"]
    printed = capsys.readouterr().out
    assert "validity" in printed
    assert "0.7500 as computed by the published script" in printed
    assert "not computed: novelty" in printed


def test_failed_prompts_are_counted_and_need_no_reference(tmp_path, capsys):
    rows = [
        {"id": "a", "prompt": "p", "output": "CCO", "reference": "CCO", "finish_reason": "stop"},
        {"id": "b", "prompt": "p", "output": "", "reference": "CCN", "finish_reason": "error", "message": "line 2: …"},
        {"id": "c", "prompt": "", "output": "", "finish_reason": "error", "message": "line 3: broken"},
    ]
    path, metrics = tmp_path / "x.jsonl", tmp_path / "m.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["--task", "text2smiles", "--predictions", path, "--bootstrap", 0, "--workers", 1, "--output", metrics]
    assert run(*command) == 0
    assert "1 failed prompts, " in (shown := capsys.readouterr().out) and "1 failed prompts without reference" in shown
    found = json.loads(metrics.read_text())
    assert found["items"] == 2 and found["metrics"]["exact"]["value"] == 0.5
    del rows[2]["finish_reason"]  # an answer without a reference is a fault of the file
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(*command) == 2


def test_the_same_command_gives_the_same_bytes(predictions, tmp_path):
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    for path in (first, second):
        assert run("--task", "text2smiles", "--predictions", predictions, "--output", path) == 0
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("task", "lines", "metric", "value"),
    [
        ("protein_function", ["binds ATP .\tbinds ATP ."], "rouge_l", 1),
        ("protein_design", ["MKV\tMKV", "MKL\tMKV"], "exact", 0.5),
        ("promoter", ["yes\tyes", "no\tno", "yes\tno", "no\tno"], "accuracy", 0.75),
        ("moa", ["kinase inhibitor\tKinase inhibitor.", "agonist\tblocker"], "accuracy", 0.5),
        ("captions", ["a\ta"], "rouge1", 1),
    ],
)
def test_each_task_has_its_metrics(tmp_path, task, lines, metric, value):
    table, output = tmp_path / "p.tsv", tmp_path / "m.json"
    table.write_text("output\tground truth\n" + "".join(line + "\n" for line in lines))
    assert run("--task", task, "--predictions", table, "--output", output, "--bootstrap", 0) == 0
    assert json.loads(output.read_text())["metrics"][metric]["value"] == value


def test_losses_give_perplexity(tmp_path, capsys):
    table = tmp_path / "losses.tsv"
    table.write_text("modality\tloss\ttokens\ntext\t0\t4\n")
    assert run("--task", "pretrain", "--predictions", table) == 0
    assert "perplexity_text  1.0000" in capsys.readouterr().out


def test_a_submission_needs_no_references(tmp_path, capsys):
    outputs, inputs, target = tmp_path / "p.txt", tmp_path / "i.txt", tmp_path / "submit.zip"
    outputs.write_text("one\ntwo\n")
    inputs.write_text("C\nCC\n")
    common = ("--task", "smiles2text", "--predictions", outputs, "--submission", target)
    assert run(*common, "--inputs", inputs) == 0
    assert zipfile.ZipFile(target).read("submit.txt") == b"one\ntwo\n"
    inputs.write_text("C\n")
    assert run(*common, "--inputs", inputs) == 2
    assert "1 inputs for 2 outputs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--task", "text2smiles"], "no predictions"),
        (["--task", "text2smiles", "--predictions", "none.jsonl"], "none.jsonl: no such file"),
        (["--task", "text2smiles", "--predictions", "P", "--items", "items.csv"], "must end in .jsonl or .tsv"),
        (["--task", "text2smiles", "--predictions", "P", "--bootstrap", "-1"], "--bootstrap (-1)"),
        (["--task", "text2smiles", "--predictions", "P", "--confidence", "95"], "--confidence (95.0)"),
        (["--task", "text2smiles", "--predictions", "P", "--workers", "0"], "workers (0)"),
        (
            ["--task", "text2smiles", "--predictions", "P", "--output", "/proc/none/m.json"],
            "/proc/none/m.json cannot be",
        ),
        (["--task", "text2smiles", "--rank", "one.json"], "--rank needs"),
        (["--task", "promoter", "--predictions", "P", "--submission", "s.zip"], "--submission works with captions"),
    ],
)
def test_a_mistake_ends_in_one_line(predictions, capsys, arguments, match):
    assert run(*[str(predictions) if argument == "P" else argument for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert match in error
    assert error.count("\n") == 1
