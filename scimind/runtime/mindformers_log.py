"""MindFormers' log folder: its first import creates ./output/log, unless LOG_MF_PATH names another folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_VARIABLE = "LOG_MF_PATH"


def use_temporary_folder() -> None:
    """Lets MindFormers log to a temporary folder of this user, unless a folder is already set.

    Must be called before MindFormers is imported, which is why `scimind.model` and `scimind.train` do so themselves.
    """
    os.environ.setdefault(_VARIABLE, _temporary_folder())


def use_folder(folder: Path) -> None:
    """Lets MindFormers log to a run's folder, unless the user has set another one."""
    if os.environ.get(_VARIABLE, _temporary_folder()) == _temporary_folder():
        os.environ[_VARIABLE] = str(folder)


def _temporary_folder() -> str:
    return os.path.join(tempfile.gettempdir(), f"scimind-log-{os.getuid()}")
