"""Processes that share work: results in order, faults reported, nothing left over."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from scimind.errors import DataError, SciMindError, TokenError
from scimind.parallel import available_cores, check_workers, ordered_map
from tests.support.shared import ROOT


def square(number: int) -> int:
    return number * number


def repeated(text: str) -> str:
    print("chatter on standard output")
    return text * 200_000


def of_process(_: int) -> int:
    return os.getpid()


def faulty(number: int, wrong: int, error: Exception) -> int:
    if number == wrong:
        raise error
    return number


def kill_itself(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_keep_their_order(workers: int) -> None:
    assert list(ordered_map(square, range(50), workers)) == [number * number for number in range(50)]
    assert list(ordered_map(square, [], workers)) == []


def test_large_tasks_and_results_pass() -> None:
    texts = list("abcdefgh")
    assert list(ordered_map(repeated, texts, 2)) == [text * 200_000 for text in texts]
    large = [text * 200_000 for text in texts]
    assert list(ordered_map(len, large, 2)) == [200_000] * 8


def test_few_tasks_are_done_here() -> None:
    here = {os.getpid()}
    assert set(ordered_map(of_process, range(4), 2, fewest=4)) == here
    assert set(ordered_map(of_process, range(5), 1)) == here
    there = set(ordered_map(of_process, range(5), 2, fewest=4))
    assert len(there) == 2 and not there & here


def test_tasks_are_read_as_they_are_needed() -> None:
    read = 0

    def tasks() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    with closing(ordered_map(square, tasks(), 2)) as results:
        assert [next(results) for _ in range(3)] == [1, 4, 9]
        assert read < 15


@pytest.mark.parametrize(
    "error", [TokenError("no token", "?", 3), DataError("bad", "a.csv", 4, "x"), SciMindError("wrong")]
)
def test_a_workers_fault_is_raised_in_order(error: SciMindError) -> None:
    found = []
    with (
        pytest.raises(type(error)) as caught,
        closing(ordered_map(partial(faulty, wrong=7, error=error), range(20), 2)) as results,
    ):
        found.extend(results)
    assert found == list(range(7))
    assert str(caught.value) == str(error) and vars(caught.value) == vars(error)


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="in faulty"):
        list(ordered_map(partial(faulty, wrong=1, error=KeyError("x")), range(4), 2))


def test_a_worker_that_dies_is_reported() -> None:
    with pytest.raises(SciMindError, match=r"ended before its work was done \(signal SIGKILL\); use fewer workers"):
        list(ordered_map(kill_itself, range(20), 2))


def test_leaving_early_ends_the_workers() -> None:
    with closing(ordered_map(of_process, itertools.count(), 2)) as results:
        processes = {next(results) for _ in range(4)}
        assert all(map(is_alive, processes))
    assert not any(map(is_alive, processes))


def test_workers_end_when_the_caller_is_killed(tmp_path: Path) -> None:
    script = """
import itertools, sys
from scimind.parallel import ordered_map
from tests.unit.test_parallel import of_process
results = ordered_map(of_process, itertools.count(), 2)
print(next(results), next(results), flush=True)
sys.stdin.read()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    caller = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert caller.stdout is not None
    processes = list(map(int, caller.stdout.readline().split()))
    assert len(set(processes)) == 2 and all(map(is_alive, processes))
    caller.kill()
    caller.communicate()
    deadline = time.monotonic() + 10
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, processes))


def test_number_of_workers() -> None:
    assert available_cores() >= 1
    assert check_workers(3) == 3
    with pytest.raises(SciMindError, match=r"workers \(0\) must be at least 1"):
        check_workers(0)
