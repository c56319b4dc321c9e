"""Preparing in several processes: the same bytes, faults in order, nothing left over."""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time

import pytest

from scimind.cli import main
from scimind.data import prepare
from scimind.data.encode.records import RecordEncoder
from scimind.errors import DataError, SciMindError
from tests.support.shared import ROOT

HEADER = "CID\tSMILES\tdescription\n"


@pytest.fixture
def small_tasks(monkeypatch):
    """Makes a few records enough for several processes."""
    monkeypatch.setattr("scimind.data.encode.records._RECORDS_AT_ONCE", 7)
    monkeypatch.setattr("scimind.data.encode.records._FEWEST_TASKS", 1)


def table(count: int) -> str:
    return HEADER + "".join(f"{i}\t{'C' * (i % 40 + 1)}\tAn alkane, number {i}.\n" for i in range(count))


@pytest.mark.parametrize("packed", [False, True])
def test_files_do_not_depend_on_the_workers(codec, write, tmp_path, small_tasks, packed):
    lines = table(300).splitlines(keepends=True)
    lines[20], lines[150] = "20\tC?C\tFaulty.\n", "150\tC\n"
    path = write("a.tsv", "".join(lines))
    found = {}
    for workers in (1, 2, 3):
        out = tmp_path / "out"
        options = {"eval_fraction": 0.2, "policy": "truncate", "card": False, "overwrite": True, "progress": False}
        prepare("smiles2text", [path], out, codec=codec, seq_length=44, packed=packed, workers=workers, **options)
        found[workers] = {file.name: file.read_bytes() for file in out.iterdir()}
    assert found[1] == found[2] == found[3]
    assert len(found[1]) == 8
    assert found[1]["a.rejects.jsonl"].count(b"faulty") == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_fault_of_the_file_is_reported(codec, write, tmp_path, small_tasks, workers):
    given = {"codec": codec, "seq_length": 64, "on_bad": "stop", "workers": workers, "progress": False}
    # The unclosed quote is found while reading ahead, but the record before it is still reported first.
    text = "molecule,caption\n" + "C,x\n" * 30 + "C!,x\n" + "C,x\n" * 5 + 'C,"x\n'
    with pytest.raises(DataError, match=r"a\.csv:32: character '!' at position 1 of 'C!'"):
        prepare("smiles2text", [write("a.csv", text)], tmp_path / "out", **given)
    with pytest.raises(DataError, match=r"a\.csv:38: broken table"):
        prepare("smiles2text", [write("a.csv", text.replace("!", ""))], tmp_path / "out", **given)
    assert list((tmp_path / "out").iterdir()) == []


class DyingEncoder(RecordEncoder):
    """Simulates a process that the system ends, for instance when memory runs out."""

    def __call__(self, records):
        if any(name == "200" for name, _ in records):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(records)


def test_a_worker_that_dies_leaves_no_file(codec, write, tmp_path, small_tasks, monkeypatch):
    monkeypatch.setattr(importlib.import_module("scimind.data.prepare.pipeline"), "RecordEncoder", DyingEncoder)
    with pytest.raises(SciMindError, match="a worker process ended before its work was done .*SIGKILL"):
        prepare(
            "smiles2text", [write("a.tsv", table(300))], tmp_path / "out", codec=codec, seq_length=64, workers=2,
            progress=False,
        )  # fmt: skip
    assert list((tmp_path / "out").iterdir()) == []


def test_workers_load_no_mindspore_and_a_faulty_number_is_reported(codec, write, tmp_path):
    with pytest.raises(SciMindError, match=r"workers \(0\) must be at least 1"):
        prepare("smiles2text", [write("a.tsv", table(3))], tmp_path, codec=codec, seq_length=64, workers=0)
    script = "import sys, scimind.data.encode.records, scimind.parallel; print('mindspore' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "False"


def test_an_interruption_leaves_no_process_and_the_next_run_resumes(write, tmp_path):
    path = write("a.tsv", table(8_000))
    script = "import sys; from scimind.cli import main; sys.exit(main(sys.argv[1:]))"
    verb = ["prepare", "--task", "smiles2text", "--input", str(path), "--output", str(tmp_path / "out")]
    command = [sys.executable, "-c", script, *verb, "--seq-length", "64", "--workers", "2", "--no-card"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCIMIND_TEST_RUN": str(tmp_path)}
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    deadline = time.monotonic() + 60
    while len(_processes_of(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(_processes_of(tmp_path)) == 3
    while not (parts := set((tmp_path / "out/.a.parts/0").glob("0*.npz"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=60)
    assert run.returncode == 130 and b"stopped" in error, error
    assert _processes_of(tmp_path) == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".a.parts"]
    kept = {part: part.stat().st_mtime_ns for part in parts}
    assert kept and run_again(command, environment, kept)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert "a.mindrecord" in whole and ".a.parts" not in whole
    assert main([*command[3:], "--overwrite"]) == 0
    assert whole == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def run_again(command, environment, kept) -> bool:
    """Runs a command; returns whether the parts stayed unchanged until they were removed."""
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    same = []
    while run.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            same.append({part: part.stat().st_mtime_ns for part in kept} == kept)
        time.sleep(0.02)
    return run.returncode == 0 and bool(same) and all(same)


def _processes_of(folder) -> list[int]:
    """Returns the processes that were started with this folder in their environment."""
    mark, found = f"SCIMIND_TEST_RUN={folder}".encode(), []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                found += [int(process)] if mark in file.read().split(b"\0") else []
        except OSError:
            continue
    return found
