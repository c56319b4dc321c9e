"""Private temporary folders: unforeseeable, and removed even if their process was killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from scimind.runtime.private_folder import private_folder
print(private_folder("work"), private_folder("work") == private_folder("work"), flush=True)
sys.stdin.read()
"""


def started(temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", CODE],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    folder, same = process.stdout.readline().split()
    assert same == "True"
    return process, Path(folder)


def test_a_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    process, folder = started(tmp_path)
    assert folder.parent == tmp_path and stat.S_IMODE(folder.stat().st_mode) == 0o700
    process.communicate()
    assert not folder.exists()


def test_folders_of_killed_processes_are_removed_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "scimind-link-x").symlink_to("victim")
    (tmp_path / "scimind-other-x").mkdir()  # without a lock
    (tmp_path / ".scimind-new-x").mkdir()  # of a process that starts
    (tmp_path / ".scimind-new-y").mkdir()  # of one that was killed before it had its lock
    os.utime(tmp_path / ".scimind-new-y", (0, 0))
    killed, left = started(tmp_path)
    running, used = started(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    last, _ = started(tmp_path)
    assert not left.exists() and used.exists()
    for process in (running, last):
        process.communicate()
    kept = [".scimind-new-x", "scimind-link-x", "scimind-other-x", "victim"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
