"""Ends processes together with the one that started them, on Linux; does nothing on other systems."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

_MARK = "SCIMIND_LAUNCHED"
# Of sys/prctl.h.
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def end_with_parent() -> None:
    """Lets the kernel kill this process when its parent ends, even if the parent is killed."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end_with_launcher() -> None:
    """Makes a worker that `scimind.launch` started end together with msrun; does nothing in other processes."""
    launcher = os.environ.get(_MARK)
    if launcher:
        end_with_parent()
        try:
            os.kill(int(launcher), 0)
        except ProcessLookupError:  # it ended before this process could register with the kernel
            sys.exit(128 + signal.SIGKILL)


def adopt_orphans() -> None:
    """Makes this process the parent of orphaned descendants, so that it can find them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def marked_environment(binaries: Path) -> dict[str, str]:
    """Returns msrun's environment: this one with its Python first in the path, unbuffered logs and the workers' mark.

    Args:
        binaries: The folder that holds Python.
    """
    path = os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", _MARK: str(os.getpid())}


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
