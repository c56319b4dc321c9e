"""Temporary folders of this process alone: unforeseeable names, mode 0700, removed at its end or by a later process."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

_PREFIX = "scimind-"
_MARK = ".lock"
_locks: list[int] = []  # open for as long as the process lives


@cache
def private_folder(purpose: str) -> Path:
    """Returns the process's folder for a purpose, creating it on first use.

    Folders of processes that were killed are removed: their locks are free.

    Args:
        purpose: A word for the name.

    Raises:
        OSError: The system's temporary folder cannot be written.
    """
    _remove_leftovers(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
    atexit.register(_remove, folder, os.getpid())
    # The mark gets its name once it is locked: a mark without a lock is one of a process that has ended.
    unlocked = folder / f"{_MARK}.new"
    descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _lock(descriptor)
    _locks.append(descriptor)
    unlocked.rename(folder / _MARK)
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a forked child
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(root: Path) -> None:
    for folder in root.glob(f"{_PREFIX}*-*"):
        with suppress(OSError):
            state = folder.lstat()
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Returns whether the process that made a folder has ended."""
    try:
        descriptor = os.open(folder / _MARK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False  # not one of these folders, or one that is just being created
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
