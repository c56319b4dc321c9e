"""Temporary folders of this process alone: unforeseeable names, mode 0700, removed at its end or by a later process."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_PREFIX = "scimind-"
_NEW = ".scimind-new-"
_SECONDS_OF_A_START = 60.0
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
    root = Path(tempfile.gettempdir())
    _remove_leftovers(root)
    # The folder gets its name once its mark is locked: one without a lock is that of a process that has ended.
    unlocked = Path(tempfile.mkdtemp(prefix=_NEW))
    descriptor = os.open(unlocked / _MARK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _lock(descriptor)
    _locks.append(descriptor)
    folder = unlocked.rename(root / f"{_PREFIX}{purpose}-{secrets.token_hex(4)}")
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a forked child
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(root: Path) -> None:
    for folder in (*root.glob(f"{_PREFIX}*-*"), *root.glob(f"{_NEW}*")):
        with suppress(OSError):
            state = folder.lstat()
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and _is_left(folder, state.st_mtime):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path, changed: float) -> bool:
    """Returns whether the process that made a folder has ended.

    Args:
        folder: The folder.
        changed: When it was changed; a new one has no lock for a moment.
    """
    is_new = folder.name.startswith(_NEW)
    if is_new and time.time() - changed < _SECONDS_OF_A_START:
        return False
    try:
        descriptor = os.open(folder / _MARK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return is_new  # otherwise it is not one of these folders
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
