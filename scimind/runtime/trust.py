"""Which files may be used without a question: those that this user owns and nobody else can change."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_own(path: Path) -> bool:
    """Returns whether a file or folder, not a link to one, belongs to this user and is writable by nobody else."""
    try:
        state = path.lstat()
    except OSError:
        return False
    return _is_own(state) and not stat.S_ISLNK(state.st_mode)


def copy_own(source: Path, target: Path) -> None:
    """Copies a folder whose files and folders are all this user's; the check is on what is open.

    Args:
        source: The folder.
        target: The new folder, created with mode 0700.

    Raises:
        PermissionError: Something in it belongs to, or can be written by, another user, or is a link.
        OSError: It cannot be read or copied.
    """
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _copy(folder, target)
    finally:
        os.close(folder)


def _copy(folder: int, target: Path) -> None:
    _check(folder, target)
    target.mkdir(mode=0o700)
    for name in os.listdir(folder):
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            if stat.S_ISDIR(os.fstat(opened).st_mode):
                _copy(opened, target / name)
                continue
            _check(opened, target / name)
            with open(opened, "rb", closefd=False) as reader, (target / name).open("wb") as writer:
                shutil.copyfileobj(reader, writer)
        finally:
            os.close(opened)


def _check(opened: int, path: Path) -> None:
    state = os.fstat(opened)
    if not _is_own(state) or not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        raise PermissionError(f"{path.name} belongs to, or can be written by, another user")


def _is_own(state: os.stat_result) -> bool:
    return state.st_uid == os.getuid() and not state.st_mode & _OTHERS_WRITE
