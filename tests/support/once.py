"""What several processes of a test run need, made by the first of them."""

from __future__ import annotations

import fcntl
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
FOLDER = "SCIMIND_TEST_ONCE"  # the environment variable that pytest-xdist's workers inherit


def use_folder() -> None:
    """Creates the folder of this test run, unless the process that started this one has done so."""
    os.environ.setdefault(FOLDER, tempfile.mkdtemp(prefix="scimind_test_once_"))


def made_once(name: str, make: Callable[[], Made]) -> Made:
    """Returns what `make` returns, which is called by one process only; the others wait for it.

    Args:
        name: The name of the result, in all test files.
        make: Returns something that can be pickled.
    """
    folder = Path(os.environ[FOLDER])
    kept = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            partial = folder / f"{name}.partial"
            partial.write_bytes(pickle.dumps(make()))
            partial.rename(kept)
        found: Made = pickle.loads(kept.read_bytes())
        return found
