"""Locates reference files and real data that the project does not ship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SCIMIND_SHARED", ROOT.parent / "shared"))


def shared_file(name: str) -> Path:
    """Returns the path of a reference file, or skips the test that needs it."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not on this machine (SCIMIND_SHARED points to {SHARED})")
    return path
