"""The judge of the fuzzers notices what it must: a traceback, several lines, too much time or memory."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_SCRIPT = """
import sys, time
import tests.hostile.limits as limits
from scimind.errors import SciMindError
limits.MOST_SECONDS, limits.MOST_MEMORY = 2.5, 64 << 20
judge = limits.Judge()
{body}
"""
_SHOWN = "except BaseException as e:\n    print(type(e).__name__ + ': ' + str(e), file=judge.real)"


def judged(body: str) -> str:
    """Returns what a script prints that uses a `judge`, or the last line of its traceback."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(body=body)], cwd=_REPOSITORY, capture_output=True, text=True, timeout=100
    )
    return done.stdout + (done.stderr.strip().splitlines() or [""])[-1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("print(judge.reader(lambda: 5), file=judge.real)", "read"),
        ("def f(): raise SciMindError('wrong; do this')\nprint(judge.reader(f), file=judge.real)", "refused"),
        ("def f(): import mindspore\nprint(judge.reader(f), file=judge.real)", "reached MindSpore"),
        ("print(judge.command(['check', '--config', 'none']), file=judge.real)", "refused"),
        ("print(judge.command(['--version']), file=judge.real)", "read"),
    ],
)
def test_a_right_ending_is_named(body: str, expected: str) -> None:
    assert judged(body).strip() == expected


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("def f():\n    while True: pass\n", "Fault: more than 2.5 s of processor time"),
        ("def f(): return bytearray(200 << 20)\n", "MiB of memory"),
        ("def f(): return {}['x']\n", "KeyError: 'x'"),
        ("def f(): raise SciMindError('')\n", "Fault: a message of 0 characters"),
        ("def f(): raise SciMindError('x' * 30_000)\n", "Fault: a message of 30000 characters"),
    ],
)
def test_a_wrong_ending_of_a_reader_is_a_fault(body: str, fault: str) -> None:
    script = f"{body}try:\n    judge.reader(f)\n{_SHOWN}"
    assert fault in judged(script)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("print('note', file=sys.stderr); raise SystemExit(2)", "the last line is not an error"),
        ("print('a: error: one\\nb: error: two', file=sys.stderr); raise SystemExit(2)", "not one line of error"),
        ("raise SystemExit(1)", "exit status 1"),
    ],
)
def test_a_wrong_ending_of_a_command_is_a_fault(body: str, fault: str) -> None:
    script = f"def main(arguments):\n    {body}\nlimits.main = main\ntry:\n    judge.command([])\n{_SHOWN}"
    assert fault in judged(script)


@pytest.mark.parametrize(
    ("work", "ending"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("time.sleep(600)", -signal.SIGABRT),  # waits without computing
        ("re.match('(a|aa)+$', 'a' * 60 + 'b')", -signal.SIGABRT),  # computes without end
    ],
)
def test_a_crash_and_a_hang_are_faults_with_their_stack_and_input(work: str, ending: int, tmp_path: Path) -> None:
    script = f"""
import os, re, signal
from pathlib import Path
import tests.hostile.fuzzing as fuzzing
fuzzing._MOST_COMPUTING = fuzzing._MOST_WAITING = 1.0
fuzzer = fuzzing.Fuzzer(judge, Path({str(tmp_path)!r}))
def work():
    (fuzzer._work / "command.txt").write_text("convert")
    {work}
fuzzer.apart("a reader", work)
fuzzer.close()
print(*fuzzer.target("a reader").tally.faults, file=judge.real)
"""
    shown = judged(script)
    assert "in work" in shown and f"ended with {ending}, because it crashed or hung" in shown
    assert [file.read_text() for file in tmp_path.glob("*/command.txt")] == ["convert"]
