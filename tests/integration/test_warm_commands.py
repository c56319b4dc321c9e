"""Warm processes are like others: arguments, folder, environment, streams and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.warm_commands import WarmCommands

SHOWN = """
import os, sys
print("mindformers" in sys.modules, sys.argv, os.getcwd(), os.environ["GIVEN"], sys.stdin.read())
print([name for name in sys.modules if name.split(".")[0] in ("scimind", "tests")], sys.path[0], file=sys.stderr)
import other
"""


def run(warm: WarmCommands, folder: Path, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(warm.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "GIVEN": given, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        command, cwd=folder, env=environment, input="typed", capture_output=True, text=True, timeout=60
    )


def test_a_script_runs_as_usual(warm_commands: WarmCommands, tmp_path: Path) -> None:
    (tmp_path / "show.py").write_text(SHOWN)
    (tmp_path / "other.py").write_text("raise SystemExit(7)")
    done = run(warm_commands, tmp_path, "python", "show.py", "a b", given="x")
    assert done.stdout == f"True ['show.py', 'a b'] {tmp_path} x typed\n"
    assert done.stderr == f"[] {tmp_path}\n"  # SciMind itself is imported anew
    assert done.returncode == 7


def test_faults_and_signals_end_it_as_usual(warm_commands: WarmCommands, tmp_path: Path) -> None:
    (tmp_path / "fault.py").write_text("1 // 0")
    done = run(warm_commands, tmp_path, "python", "fault.py")
    assert done.returncode == 1 and done.stderr.endswith("ZeroDivisionError: integer division or modulo by zero\n")
    for number in (signal.SIGTERM, signal.SIGKILL):
        (tmp_path / "killed.py").write_text(f"import os; os.kill(os.getpid(), {int(number)})")
        assert run(warm_commands, tmp_path, "python", "killed.py").returncode == -number


def test_scimind_is_the_command(warm_commands: WarmCommands, tmp_path: Path) -> None:
    done = run(warm_commands, tmp_path, "scimind", "check", "--config", "scimind_nano_predict")
    assert done.returncode == 0 and "# Resolved configuration" in done.stdout
    assert run(warm_commands, tmp_path, "scimind", "check", "--config", "absent").returncode == 2
