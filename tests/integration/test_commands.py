"""The commands as a user types them: from a file of molecules to answers, and errors for bad input."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scimind.cli import main as scimind
from scimind.cli.run_scimind import main as run_scimind
from tests.support.shared import ROOT
from tests.support.small_run import SMALLER, small_run

FINETUNE, PREDICT = str(ROOT / "configs/scimind_nano_finetune.yaml"), str(ROOT / "configs/scimind_nano_predict.yaml")


@pytest.fixture(scope="module")
def run() -> Path:
    """A folder with prepared records and a model trained on them for a few steps, by commands."""
    return small_run()


def predict_command(run: Path, source: Path, target: Path, *more: str) -> list[str]:
    flags = ["--use_parallel", "False", "--device_id", "0", "--load_checkpoint", str(run / "out")]
    files = ["--predict_data", str(source), "--save_file", str(target), "--output_dir", str(run / "predict")]
    return [
        "--config",
        PREDICT,
        "--run_mode",
        "predict",
        *files,
        *flags,
        "--generation.max_new_tokens=6",
        *SMALLER,
        *more,
    ]


def test_the_originals_command_answers_every_prompt(run, tmp_path):
    source, target = tmp_path / "prompts.txt", tmp_path / "answers.txt"
    lines = (ROOT / "LPM-24-data/smiles2text/test_prompts.txt").read_text().splitlines()[:5]
    source.write_text("\n".join(lines) + "\n")
    assert run_scimind(predict_command(run, source, target)) == 0
    assert len(target.read_text().splitlines()) == 5


def test_a_table_of_numbers_becomes_a_report_without_a_task(run, tmp_path):
    rows = [f"{'C' * n}O,{n / 4}" for n in range(1, 31)]
    (tmp_path / "my.csv").write_text("\n".join(["smiles,logP", *rows]) + "\n")
    table = ["--table", f"{tmp_path}/my.csv", "--molecule", "smiles", "--target", "logP", "--kind", "number"]
    assert scimind(["prepare", *table, "--output", f"{tmp_path}/data", "--seq_length=64", "--test_fraction=0.3"]) == 0
    answers, page = tmp_path / "answers.jsonl", tmp_path / "report.html"
    command = ["predict", "--config", PREDICT, "--load_checkpoint", f"{run}/out", "--output_dir", f"{tmp_path}/run"]
    command += ["--input", f"{tmp_path}/data/my_test.json", "--output", str(answers), "--report", str(page)]
    assert scimind([*command, *SMALLER]) == 0
    found = [json.loads(line) for line in answers.read_text().splitlines()]
    assert found and all(re.fullmatch(r"-?\d+\.\d", row[name]) for row in found for name in ("output", "reference"))
    html = page.read_text()
    assert html.count('class="point"') == len(found)
    assert "the mean of the training values" in html


def test_a_table_of_reactions_becomes_answers_scores_and_drawn_reactions(run, tmp_path):
    reactions = [f"CC(=O)Cl.[CH3:1][OH:{n}]>CCN(CC)CC>CC(=O)[O:{n}][CH3:1]" for n in (2, 3)]
    table = "id,reactants>reagents>production\n" + "".join(f"r{n},{text}\n" for n, text in enumerate(reactions))
    (tmp_path / "r.csv").write_text(table)
    answers, page = tmp_path / "answers.jsonl", tmp_path / "report.html"
    command = ["predict", "--config", PREDICT, "--load_checkpoint", f"{run}/out", "--output_dir", f"{tmp_path}/run"]
    command += [
        "--input",
        f"{tmp_path}/r.csv",
        "--output",
        str(answers),
        "--task",
        "retrosynthesis",
        "--report",
        str(page),
    ]
    assert scimind([*command, *SMALLER]) == 0
    found = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [(row["id"], row["reference"]) for row in found] == [("r0", "CC(=O)Cl.CO"), ("r1", "CC(=O)Cl.CO")]
    assert all("<smiles>COC(C)=O</smiles>" in row["prompt"] and row["canonical"] for row in found)
    html = page.read_text()
    assert "Exact match without salts" in html and "Reactions of 2 items are drawn" in html


def test_prompts_that_cannot_be_answered_are_reported_and_the_others_are_answered(run, tmp_path, capfd):
    source, target = tmp_path / "molecules.txt", tmp_path / "answers.jsonl"
    whole = " [INST]: Please describe the molecule: <smiles>CCO</smiles> [/INST]:"
    source.write_text("\n".join(["CCO", "C" * 300, "CCN", "see below", "C1CC", whole]) + "\n")
    command = predict_command(run, source, target, "--task", "smiles2text")
    for more in ([], [], ["--overwrite", "--molecules", "as-is"]):  # the second run finds everything done
        assert run_scimind([*command, *more]) == 3
        rows = [json.loads(line) for line in target.read_text().splitlines()]
        odd = not more  # whether the molecule that RDKit cannot parse is refused
        assert [row["finish_reason"] == "error" for row in rows] == [False, True, False, True, odd, False]
        assert "seq_length (160)" in rows[1]["message"]
        assert rows[3]["message"] == "line 4: not a SMILES but what looks like a name; look up its SMILES: 'see below'"
        assert "RDKit cannot parse" in rows[4]["message" if odd else "warning"]
        assert rows[0]["output"] == rows[5]["output"]
        shown = capfd.readouterr()
        assert f'{2 + odd} of 6 prompts could not be answered (see "finish_reason": "error" in {target}): ' in shown.err
        assert "note: 1 of 6 inputs are whole questions" in shown.out
    source.write_text("id,smiles\n1,CCO\n1,CCN\n")
    assert run_scimind(predict_command(run, source, tmp_path / "x.jsonl", "--task", "smiles2text")) == 2
    assert "molecules.txt:3: id '1' is already on line 2" in capfd.readouterr().err
    assert not (tmp_path / "x.jsonl").exists()


def test_cached_and_full_decoding_give_the_same_file(run, tmp_path):
    source = tmp_path / "molecules.txt"
    source.write_text("CCO\nc1ccccc1\nCC(=O)O\nC/C=C\\C\nCCN\n")
    outputs = []
    for use_past in ("True", "False"):
        target = tmp_path / f"{use_past}.txt"
        past = f"--model.model_config.use_past={use_past}"
        assert run_scimind(predict_command(run, source, target, "--task", "smiles2text", past)) == 0
        outputs.append(target.read_text())
    assert outputs[0] == outputs[1]
    assert outputs[0].strip()


def fails(capsys: pytest.CaptureFixture[str], status: int) -> str:
    """Returns the one line of a command that ended with status 2."""
    captured = capsys.readouterr()
    assert status == 2
    lines = [line for line in captured.err.splitlines() if "error:" in line]
    assert len(lines) == 1, captured.err
    assert "Traceback" not in captured.err
    return lines[0]


CONVERSATION = {"id": "1", "conversation": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
BAD_RECORDS = {
    "missing file": (None, "records.json"),
    "empty file": ("", "empty"),
    "broken JSON": ('[\n{"id": "1",\n"conversation": }\n]', "records.json:3"),
    "no answer": (json.dumps([{**CONVERSATION, "conversation": CONVERSATION["conversation"][:1]}]), "answer"),
    "unknown character": (json.dumps([CONVERSATION]).replace('"q"', '"<smiles>CC?</smiles>"'), "'?'"),
}


@pytest.mark.parametrize(
    ("command", "name"),
    [("prepare", name) for name in BAD_RECORDS] + [("predict", name) for name in BAD_RECORDS if name != "no answer"],
)
def test_bad_records_end_in_one_line(command, name, run, tmp_path, capsys):
    content, message = BAD_RECORDS[name]
    source = tmp_path / "records.json"
    if content is not None:
        source.write_text(content)
    capsys.readouterr()
    if command == "prepare":
        status = scimind(["prepare", "--task", "conversation", "--input", str(source), "--output", str(tmp_path / "o")])
    else:
        status = run_scimind(predict_command(run, source, tmp_path / "x.jsonl"))
    line = fails(capsys, status)
    assert message in line
    assert str(source) in line
    assert not (tmp_path / "x.jsonl").exists()


BAD_SETTINGS = {
    "unknown key": (["--model.model_config.hiden_size=64"], "hidden_size"),
    "checkpoint of another size": (["--model.model_config.hidden_size=64"], "hidden_size"),
    "vocabulary of another size": (["--model.model_config.vocab_size=4096"], "vocab_size (4096)"),
    "negative length": (["--generation.max_new_tokens=-1"], "max_new_tokens"),
    "negative sequence": (["--model.model_config.seq_length=-1"], "seq_length"),
    "no checkpoint there": (["--load_checkpoint", "none.ckpt"], "none.ckpt"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings_end_in_one_line(name, run, tmp_path, capsys):
    more, message = BAD_SETTINGS[name]
    source = tmp_path / "molecules.txt"
    source.write_text("CCO\n")
    capsys.readouterr()
    status = run_scimind(predict_command(run, source, tmp_path / "x.jsonl", "--task", "smiles2text", *more))
    assert message in fails(capsys, status)


@pytest.mark.parametrize("command", ["prepare", "finetune", "predict"])
def test_a_folder_that_cannot_be_written_ends_in_one_line(command, run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "inside"  # no folder can be created in a file, not even by root
    source = tmp_path / "molecules.txt"
    source.write_text("CCO\n")
    capsys.readouterr()
    if command == "prepare":
        records = str(run / "records.json")
        status = scimind(["prepare", "--task", "conversation", "--input", records, "--output", str(inside)])
    elif command == "finetune":
        data = ["--train_dataset", str(run / "data/train.mindrecord"), "--do_eval=False"]
        status = run_scimind(["--config", FINETUNE, "--run_mode", "finetune", *data, "--output_dir", str(inside)])
    else:
        status = run_scimind(predict_command(run, source, inside / "x.jsonl", "--task", "smiles2text"))
    assert str(tmp_path / "file") in fails(capsys, status)


def test_too_little_space_is_reported_before_training(run, tmp_path, capsys, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    capsys.readouterr()
    data = ["--train_dataset", str(run / "data/train.mindrecord"), "--do_eval=False"]
    status = run_scimind(["--config", FINETUNE, "--run_mode", "finetune", *data, "--output_dir", str(tmp_path / "o")])
    assert "free" in fails(capsys, status)


def test_a_negative_length_is_refused_by_prepare(run, tmp_path, capsys):
    prepare = ["prepare", "--task", "conversation", "--input", str(run / "records.json"), "--output", str(tmp_path)]
    assert "-5" in fails(capsys, scimind([*prepare, "--seq_length=-5"]))
