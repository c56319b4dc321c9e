"""Every exit status of every command, from a table that must name each of them."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from scimind.cli import VERBS, main
from scimind.tokenizer import TokenCodec
from tests.support.shared import ROOT
from tests.support.toys import DraftingToy
from tests.support.workplace import make_workplace

SCORE = "--task molecules --predictions answers.jsonl --bootstrap 0 --workers 1"
EXPERTS = "--config model/finetune.yaml --load_checkpoint model --output_dir run"
STATUSES = (0, 1, 2, *(128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)))
# What ends well: arguments, or the test that runs it, where a model must be compiled first.
DONE = {
    "prepare": "prepare --task smiles2text --input table.tsv --output {out} --seq_length 64 --workers 1 --no-card",
    "convert": "convert --input hf --output {out}/model",
    "experts": f"experts report {EXPERTS} --partition partition",
    "finetune": "tests/support/small_run.py::_make == 0",
    "predict": "tests/integration/test_convert.py::test_a_converted_model_predicts == 0",
    "ask": "tests/integration/test_python.py::test_ask_prints_the_answer_and_nothing_else == 0",
    "embed": "tests/integration/test_python.py::test_embed_reads_files_of_all_kinds == 0",
    "evaluate": f"evaluate {SCORE}",
    "report": f"report {SCORE} --output {{out}}/x.html",
    "check": "check --config model/finetune.yaml",
}
MISTAKES = {
    "prepare": "prepare --task smiles2text --input none.tsv --output {out}",
    "convert": "convert --input none --output {out}/model",
    "experts": "experts report --config model/finetune.yaml --partition none",
    "finetune": "finetune --config none.yaml",
    "predict": "predict --config model/predict.yaml --input none.txt --output {out}/x.txt",
    "ask": "ask --model none CCO",
    "embed": "embed --model none --input table.tsv --output {out}/x.npy",
    "evaluate": "evaluate --task molecules --predictions none.jsonl",
    "report": "report --task molecules --predictions answers.jsonl --output {out}/x.txt",
    "check": "check --config none.yaml",
}
PARTLY_DONE = {
    "embed": "tests/integration/test_python.py::"
    "test_embed_writes_a_row_for_each_row_and_names_those_it_cannot_read == 3",
    "predict": "tests/integration/test_commands.py::"
    "test_prompts_that_cannot_be_answered_are_reported_and_the_others_are_answered == 3",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("statuses") / "work")


def stop_with(number: int) -> Callable[[object], int]:
    def run(args: object) -> int:
        os.kill(os.getpid(), number)
        for _ in range(1000):  # another thread of the tests may take the signal, which does not end a long sleep
            time.sleep(0.01)
        return 0

    return run


def fail(args: object) -> int:
    return 1 // 0


def is_met(where: str) -> bool:
    """Returns whether a function of the tests asserts a status, given as `file::function == status`."""
    path, _, rest = where.partition("::")
    name, _, status = rest.partition(" == ")
    functions = [node for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef)]
    found = [ast.unparse(node) for node in functions if node.name == name]
    return any(re.search(rf"assert .* == {status}\b", text) for text in found)


def lacking(verbs: dict[str, str]) -> list[str]:
    """Returns the verbs without an entry in a table of commands."""
    return [verb for verb in verbs for table in (DONE, MISTAKES) if verb not in table]


def test_every_verb_has_its_row() -> None:
    assert lacking(VERBS) == []
    assert lacking({**VERBS, "serve": ""}) == ["serve", "serve"]


@pytest.mark.parametrize("verb", VERBS)
def test_all_done_is_0(verb: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "::" in DONE[verb]:
        assert is_met(DONE[verb])
        return
    monkeypatch.chdir(folder)
    assert main(DONE[verb].format(out=tmp_path).split()) == 0


@pytest.mark.parametrize("verb", VERBS)
def test_a_mistake_is_2_and_one_line(
    verb: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(MISTAKES[verb].format(out=tmp_path).split()) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) == 1 and shown.err.startswith("scimind: error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_fault_of_ours_keeps_its_traceback(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module(f"scimind.cli.{verb}"), "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(MISTAKES[verb].format(out="x").split())


def test_a_fault_of_ours_is_1() -> None:
    code = f"""
import sys
from scimind.cli import check, main
check.run = lambda args: 1 // 0
sys.exit(main({MISTAKES["check"].split()}))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback") and done.stderr.endswith(
        "ZeroDivisionError: integer division or modulo by zero\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("verb", VERBS)
def test_a_signal_is_128_and_its_number(
    verb: str, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.import_module(f"scimind.cli.{verb}"), "run", stop_with(number))
    assert main(MISTAKES[verb].format(out="x").split()) == 128 + number
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("scimind: stopped")


def test_a_training_that_stopped_after_a_step_says_what_continues_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = SimpleNamespace(stop_signal=signal.SIGTERM, is_interrupted=True, can_be_resumed=True)
    monkeypatch.setattr("scimind.train.finetune", lambda _: stopped)
    monkeypatch.chdir(folder)
    command = ["finetune", "--config", "model/finetune.yaml", "--train_dataset", "table.tsv"]
    assert main(command) == 128 + signal.SIGTERM
    out, err = capsys.readouterr()
    assert out.endswith(f"{' '.join(command)} --resume_training True\n") and out.startswith("to continue: ")
    assert err == "scimind: stopped\n"


def test_a_reader_that_has_ended_is_141_without_a_word() -> None:
    code = "import sys; from scimind.cli import main; sys.exit(main(['check', '--config', 'scimind_nano_predict']))"
    reader, output = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=output, stderr=subprocess.PIPE)
    os.close(output)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_only_predict_is_done_in_part() -> None:
    assert set(PARTLY_DONE) <= set(VERBS)
    for where in PARTLY_DONE.values():
        assert is_met(where)
        assert not is_met(where.replace("== 3", "== 77"))


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("--num_return_sequences 3 --num_beams 4", 0, "3 prompts: "),
        ("--num_return_sequences 2 --do_sample True --samples_per_prompt 4", 0, "3 prompts: "),
        ("--num_return_sequences 2 --where MolWt<1", 0, "3 without an answer that fulfils the conditions"),
        ("--num_return_sequences 2 --input long.jsonl", 3, "1 of 3 prompts could not be answered"),
        ("--num_return_sequences 5 --num_beams 4", 2, "at most num_beams"),
        ("--num_return_sequences 2 --prefix c1ccc)", 2, "does not begin any valid answer"),
        ("--num_return_sequences 2 --where MolWeight<1", 2, "MolWeight"),
    ],
)
def test_predictions_with_several_answers(
    arguments: str,
    status: int,
    said: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The whole command, with a toy in the place of the model, which would have to be compiled first."""
    codec = TokenCodec()
    toy = DraftingToy(codec.vocab_size, max_length=160)
    toy.bias[[*codec.encode("<smiles>CNO</smiles>", bos=False), codec.eos_id]] += 6.0  # short answers, some valid
    monkeypatch.setattr("scimind.generate.predict.load_decoder", lambda *_: toy)
    monkeypatch.chdir(tmp_path)
    texts = ["a small alcohol", "an aromatic acid", "water"]
    for name, rows in (("prompts", texts), ("long", [*texts[:2], "water " * 200])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"description": text}) + "\n" for text in rows))
    command = "predict --config scimind_nano_predict --task text2smiles --input prompts.jsonl --output x.jsonl"
    command += f" --max_new_tokens 10 --output_dir run --load_checkpoint {folder / 'model'} {arguments}"
    assert main(command.split()) == status
    shown = capfd.readouterr()
    assert said in (shown.err if status else shown.out)
    lines = [line for line in shown.err.splitlines() if "prompt" not in line or "could not" in line]
    assert len(lines) == bool(status)
    assert (tmp_path / "x.jsonl").exists() == (status != 2)


@pytest.mark.parametrize("page", ["commands.md", "commands.zh.md"])
def test_the_page_lists_the_statuses(page: str) -> None:
    rows = [line.split("|")[1] for line in (ROOT / "docs/reference" / page).read_text().splitlines() if "|" in line]
    assert {number for number in (*STATUSES, 3) if not any(str(number) in row for row in rows)} == set()
