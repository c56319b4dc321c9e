"""The quiet console, in separate processes, since it takes over the process's standard output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from scimind.errors import SciMindError
from scimind.runtime.console import quiet_console

ROOT = Path(__file__).resolve().parents[3]
CHATTER = """
import logging, os, sys, warnings
from scimind.runtime.console import quiet_console
from scimind.errors import SciMindError
logging.basicConfig(level=logging.INFO)
print("before")
try:
    with quiet_console("log/run.log") as console:
        console.print("for a person")
        print("printed by a library")
        logging.warning("logged by a library")
        warnings.warn("a library's warning")
        os.write(2, b"written from C++\\n")
        os.system("echo written by a child")
        with quiet_console("log/other.log") as inner:
            inner.print("from within")
        {action}
finally:
    print("after")
"""


def run(folder: Path, action: str = "") -> subprocess.CompletedProcess[str]:
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.run(
        [sys.executable, "-c", CHATTER.replace("{action}", action or "pass")],
        cwd=folder,
        env={**settings, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_library_output_goes_to_the_log_and_the_rest_to_the_console(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.stdout.splitlines() == ["before", "for a person", "from within", "after"]
    assert done.stderr == ""
    log = (tmp_path / "log" / "run.log").read_text()
    for line in (
        "[scimind] for a person",
        "printed by a library",
        "logged by a library",
        "a library's warning",
        "written from C++",
        "written by a child",
        "[scimind] from within",
    ):
        assert line in log
    assert not (tmp_path / "log" / "other.log").exists()


def test_a_bug_shows_the_end_of_the_log(tmp_path: Path) -> None:
    done = run(tmp_path, "raise RuntimeError('a bug of ours')")
    assert done.returncode == 1
    assert "written from C++" in done.stderr
    assert f"the full log is in {Path('log') / 'run.log'}" in done.stderr
    assert "a bug of ours" in done.stderr
    assert done.stdout.splitlines()[-1] == "after"


@pytest.mark.parametrize("action", ["raise SciMindError('a mistake')", "raise KeyboardInterrupt"])
def test_a_mistake_and_an_interruption_do_not_show_the_log(tmp_path: Path, action: str) -> None:
    done = run(tmp_path, action)
    assert "full log" not in done.stderr
    assert "written from C++" not in done.stderr


def test_progress_is_plain_lines_where_there_is_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_console(tmp_path / "run.log") as console, console.progress(25, "predict", unit="prompt") as bar:
        for number in range(25):
            bar.advance(1, f"answer {number}")
    assert capfd.readouterr().out.splitlines() == [
        "predict prompt  1/25  answer 0",
        "predict prompt 10/25  answer 9",
        "predict prompt 20/25  answer 19",
        "predict prompt 25/25  answer 24",
    ]


def test_the_remaining_time_is_shown_once_it_is_known_and_until_nothing_remains(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first units compile and take 50 s, which says nothing about the others, 2 s each.
    seconds = iter([50.0, 52.0, 54.0, 56.0])
    with quiet_console(tmp_path / "run.log") as console, console.progress(8, "predict", every=1) as bar:
        monkeypatch.setattr("scimind.runtime.console.time", SimpleNamespace(monotonic=lambda: next(seconds)))
        for text in ("first", "", "third", "last"):
            bar.advance(2, text, with_time=True)
    assert capfd.readouterr().out.splitlines() == [
        "predict step 2/8  first",
        "predict step 4/8  4 s left",
        "predict step 6/8  third, 2 s left",
        "predict step 8/8  last",
    ]


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="pseudo terminals exist on Unix only")
    program = (
        "from scimind.runtime.console import quiet_console\n"
        "with quiet_console('run.log') as console, console.progress(3, unit='step') as bar:\n"
        "    console.print('a line above')\n"
        "    for number in range(3): bar.advance(1, f'loss {number}')\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # Linux ends a closed pseudo terminal with an error
    assert process.wait() == 0
    os.close(ours)
    assert b"a line above" in shown
    assert b"3/3 steps" in shown
    assert b"loss 2" in shown


def test_a_log_that_cannot_be_written_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SciMindError, match="cannot be written"),
        quiet_console(tmp_path / "file" / "run.log"),
    ):
        pass


def test_a_silent_console_shows_nothing_and_logs_all(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_console(tmp_path / "run.log", silent=True) as console:
        console.print("from worker 1")
    assert capfd.readouterr().out == ""
    assert "from worker 1" in (tmp_path / "run.log").read_text()


RESULTS = """
import os, sys
from scimind.runtime.console import kept_stdout, quiet_console
with kept_stdout() as results, quiet_console("log/run.log", on_stderr=True, only_bars={only_bars}) as console:
    console.print("for a person")
    print("printed by a library")
    os.write(1, b"written from C++\\n")
    with console.progress(2, "work") as progress:
        progress.advance(2)
    results.write("a result\\n")
"""


@pytest.mark.parametrize("only_bars", [False, True])
def test_standard_output_holds_only_results_when_the_console_is_standard_error(tmp_path: Path, only_bars: bool) -> None:
    code, environment = RESULTS.format(only_bars=only_bars), {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "a result\n"
    assert done.stderr.splitlines() == ([] if only_bars else ["for a person", "work step 2/2"])
    assert "printed by a library\nwritten from C++" in (tmp_path / "log" / "run.log").read_text()
