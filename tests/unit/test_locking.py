"""Locks on outputs, between processes and however these end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scimind.errors import SciMindError
from scimind.locking import output_lock, refuse_inputs

HOLD = """
import sys
from scimind.locking import output_lock
with output_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Holds a lock in another process, which ends by itself if it is not killed."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.communicate()


def test_a_second_run_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.jsonl"
    with held_elsewhere(path) as process:
        expected = rf"x\.jsonl is being written by another run \(process {process.pid} on .*-c.*\); wait for it, or"
        with pytest.raises(SciMindError, match=expected), output_lock(path):
            raise AssertionError("entered")
    with output_lock(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_link_has_the_lock_of_its_target(tmp_path: Path) -> None:
    path, link = tmp_path / "x.jsonl", tmp_path / "link.jsonl"
    path.touch()
    link.symlink_to(path)
    with held_elsewhere(path), pytest.raises(SciMindError, match="another run"), output_lock(link):
        raise AssertionError("entered")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_gives_its_lock_back(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "x"
    with held_elsewhere(path) as process:
        process.send_signal(number)
        process.wait()
    with output_lock(path):
        note = json.loads((tmp_path / ".x.lock").read_text())
        assert note["process"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_one_of_many_processes_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    """A counter that is read and written under the lock loses no increment, although each process removes the file."""
    code = """
import sys, time
from pathlib import Path
from scimind.errors import SciMindError
from scimind.locking import output_lock
counter, done = Path(sys.argv[1]), 0
while done < 40:
    try:
        with output_lock(counter):
            value = int(counter.read_text())
            counter.write_text(str(value + 1))
            done += 1
    except SciMindError:
        time.sleep(0.001)
"""
    counter = tmp_path / "counter"
    counter.write_text("0")
    running = [subprocess.Popen([sys.executable, "-c", code, str(counter)]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert counter.read_text() == "120"


def test_an_output_that_is_an_input_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    source = tmp_path / "prompts.txt"
    source.write_text("a\n")
    (tmp_path / "soft.txt").symlink_to(source)
    (tmp_path / "hard.txt").hardlink_to(source)
    names = sorted(tmp_path.iterdir())
    for name in ("prompts.txt", "soft.txt", "hard.txt", "../" + tmp_path.name + "/prompts.txt"):
        with (
            pytest.raises(SciMindError, match="is an input and would be replaced"),
            output_lock(tmp_path / name, [None, tmp_path / "missing", source]),
        ):
            raise AssertionError("entered")
    with pytest.raises(SciMindError, match="contains the input"):
        refuse_inputs(tmp_path, [source])
    refuse_inputs(tmp_path / "other.txt", [source])
    assert sorted(tmp_path.iterdir()) == names


def test_a_pipe_or_device_needs_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with output_lock("/dev/null"), output_lock("/dev/null"), output_lock(tmp_path / "pipe", [tmp_path / "pipe"]):
        assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".x.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(SciMindError, match="x cannot be written"), output_lock(tmp_path / "x"):
        raise AssertionError("entered")
    assert (tmp_path / "victim").read_text() == "mine"
