"""An output is never an input, and two commands never write one output at a time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scimind.cli import main
from tests.support.shared import ROOT
from tests.support.workplace import digests, make_workplace

PREDICT = "predict --config model/predict.yaml --input prompts.txt --output_dir run"
SCORE = "--task molecules --predictions answers.jsonl --bootstrap 0 --workers 1"
EXPERTS = "--config model/finetune.yaml --load_checkpoint model --output_dir run"
BUILD = f"experts build {EXPERTS} --method contiguous"
REPORT = f"experts report {EXPERTS} --partition partition"
PREPARE = "prepare --seq_length 64 --workers 1 --no-card --name x --output . --overwrite"
# A command, the file that it writes, and the input that this file is.
FILES = [
    (f"{PREDICT} --output x.txt --overwrite", "x.txt", "prompts.txt"),
    (f"{PREDICT} --output x.jsonl --overwrite", "x.jsonl", "prompts.txt"),
    (f"{PREDICT} --output x.txt --overwrite --choices choices.txt", "x.txt", "choices.txt"),
    (f"{PREDICT} --output x.txt --overwrite --task task.yaml --input table.tsv", "x.txt", "task.yaml"),
    (f"{PREDICT} --output x.txt --overwrite", "x.txt", "model/predict.yaml"),
    (f"{PREDICT} --output x.txt --overwrite", "x.txt.part.jsonl", "prompts.txt"),
    (f"{PREDICT} --output x.jsonl --overwrite", "x.jsonl.run.json", "prompts.txt"),
    (f"{PREDICT} --output x.jsonl --overwrite", ".x.jsonl.old", "prompts.txt"),
    (f"evaluate {SCORE} --output x.json", "x.json", "answers.jsonl"),
    (f"evaluate {SCORE} --items x.jsonl", "x.jsonl", "answers.jsonl"),
    (f"evaluate {SCORE} --output x.json --references prompts.txt", "x.json", "prompts.txt"),
    (f"evaluate {SCORE} --output x.json --training prompts.txt", "x.json", "prompts.txt"),
    ("evaluate --task task.yaml --predictions answers.jsonl --output x.json", "x.json", "task.yaml"),
    (f"report {SCORE} --output x.html", "x.html", "answers.jsonl"),
    (f"report {SCORE} --output x.html --metrics metrics.json", "x.html", "metrics.json"),
    (f"report {SCORE} --output x.html --metrics metrics.json", "x.html", "items.jsonl"),
    (f"{REPORT} --output x.json", "x.json", "model/finetune.yaml"),
    (f"{REPORT} --output x.json", "x.json", "model/model.safetensors"),
    (f"{PREPARE} --task smiles2text --input table.tsv", "x.json", "table.tsv"),
    (f"{PREPARE} --task task.yaml --input table.tsv", "x.rejects.jsonl", "task.yaml"),
    (f"{PREPARE} --mixture mixture.yaml", "x.summary.json", "mixture.yaml"),
    ("convert --input hf/model.safetensors --output x --overwrite", "x", "hf/model.safetensors"),
]
FOLDERS = [
    ("convert --input hf --output x --overwrite", "hf"),
    ("convert --input hf --output x --overwrite --partition partition", "partition"),
    ("convert --input hf --output x --overwrite --tokenizer model", "model"),
    (f"{BUILD} --output x", "model"),
    (f"experts assign {EXPERTS} --data a --experts-per-modality text=1 --partition partition --output x", "partition"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = make_workplace(tmp_path_factory.mktemp("outputs") / "work")
    prepare = ["prepare", "--task", "smiles2text", "--input", str(work / "table.tsv"), "--output", str(work / "data")]
    assert main([*prepare, "--name", "train", "--seq_length", "64", "--workers", "1", "--no-card"]) == 0
    return work


@pytest.fixture(autouse=True)
def at_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@contextmanager
def removed_afterwards(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink()


def refused(command: str, folder: Path, capsys: pytest.CaptureFixture[str], because: str) -> None:
    """Runs a command that must end with 2 and one line, and change nothing."""
    before = digests(folder)
    capsys.readouterr()
    assert main(command.split()) == 2, command
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and because in lines[0], (command, lines)
    assert digests(folder) == before, command


@pytest.mark.parametrize("kind", ["link", "hard link"])
@pytest.mark.parametrize(("command", "output", "source"), FILES)
def test_a_file_that_is_read_is_not_written(
    command: str, output: str, source: str, kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / output
    if kind == "link":
        path.symlink_to(source)
    else:
        path.hardlink_to(source)
    with removed_afterwards(path):
        refused(command, folder, capsys, "input")


@pytest.mark.parametrize(
    "command",
    [
        f"{PREDICT} --output prompts.txt --overwrite",
        f"evaluate {SCORE} --output answers.jsonl",
        f"evaluate {SCORE} --items ./answers.jsonl",
        f"{REPORT} --output model/finetune.yaml",
        f"{REPORT} --output model/model.safetensors",
        f"{REPORT} --output partition/patterns_1.npy",
        "convert --input hf --output hf --overwrite",
        f"experts assign {EXPERTS} --data a --experts-per-modality text=1 --partition partition --output partition",
        f"experts tune {EXPERTS} --data a --output model",
    ],
)
def test_nor_under_its_own_name(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(command, folder, capsys, "" if "tune" in command else "input")


@pytest.mark.parametrize(("command", "source"), FOLDERS)
def test_a_folder_that_is_read_is_not_written(
    command: str, source: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x").symlink_to(source)
    with removed_afterwards(folder / "x"):
        refused(command, folder, capsys, "" if command.startswith(BUILD) else "input")


def test_two_outputs_in_one_file_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(f"evaluate {SCORE} --output x.jsonl --items ./x.jsonl", folder, capsys, "named twice")


@contextmanager
def halted(command: str, lock: Path, *, ends: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a command, halts it while it holds a lock, and lets it end well afterwards, or kills it."""
    code = "import sys; from scimind.cli import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code, *command.split()], env=environment, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (lock.exists() and lock.stat().st_size) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    try:
        assert lock.exists(), f"{command} has ended before it could be halted"
        yield process
    finally:
        process.send_signal(signal.SIGCONT if ends else signal.SIGKILL)
        process.communicate(timeout=60)


SAME_FILE = [f"evaluate {SCORE} --items out.jsonl", f"{PREDICT} --output out.jsonl", f"{REPORT} --output out.jsonl"]
SAME_FOLDER = [
    "convert --input hf --output out",
    "convert --input hf --output out --overwrite",
    f"{BUILD} --output out",
    f"experts assign {EXPERTS} --data a --experts-per-modality text=1 --output out",
    "finetune --config model/finetune.yaml --train_dataset data/train.mindrecord --output_dir out",
    "experts tune --config model/finetune.yaml --load_checkpoint model --data data/train.mindrecord --output out",
]


@pytest.mark.parametrize(
    ("command", "output", "lock", "others"),
    [
        (SAME_FILE[0], "out.jsonl", ".out.jsonl.lock", [*SAME_FILE, f"{PREDICT} --output out.jsonl --overwrite"]),
        (f"report {SCORE} --output out.html", "out.html", ".out.html.lock", [f"report {SCORE} --output out.html"]),
        (SAME_FOLDER[0], "out", ".out.lock", SAME_FOLDER),
        (SAME_FOLDER[-2], "out", ".out.lock", SAME_FOLDER),
        (SAME_FOLDER[-1], "out", ".out.lock", SAME_FOLDER),
        (
            PREPARE.replace(" . ", " out ") + " --task smiles2text --input table.tsv",
            "out",
            "out/.x.lock",
            [PREPARE.replace(" . ", " out ") + " --mixture mixture.yaml"],
        ),
    ],
    ids=["evaluate", "report", "convert", "finetune", "tune", "prepare"],
)
def test_the_second_command_on_an_output_is_refused(
    command: str, output: str, lock: str, others: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(folder / output, ignore_errors=True)
    is_dear = command in SAME_FOLDER[-2:]  # a training, which is killed instead
    with halted(command, folder / lock, ends=not is_dear) as first:
        for other in others:
            refused(other, folder, capsys, f"is being written by another run (process {first.pid} on ")
    if is_dear:
        assert first.returncode == -signal.SIGKILL
        (folder / lock).unlink()
        return
    assert first.returncode == 0
    assert (folder / output).exists() and not (folder / lock).exists()
