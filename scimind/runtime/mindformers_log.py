"""MindFormers' log folder: its first import creates ./output/log, unless LOG_MF_PATH names another folder."""

from __future__ import annotations

import os
from pathlib import Path

from scimind.runtime.private_folder import private_folder

_VARIABLE = "LOG_MF_PATH"


def use_temporary_folder() -> None:
    """Lets MindFormers log to a private temporary folder, unless a folder is already set.

    Must be called before MindFormers is imported, which is why `scimind.model` and `scimind.train` do so themselves.
    """
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = str(private_folder("log"))


def use_folder(folder: Path) -> None:
    """Lets MindFormers log to a run's folder, unless the user has set another one."""
    if os.environ.get(_VARIABLE) in (None, str(private_folder("log"))):
        os.environ[_VARIABLE] = str(folder)
