"""No file and no command line, however damaged, ends in a traceback, takes long or fills the memory.

The fuzzers run in a process of their own, in which MindSpore cannot be imported; `scripts/fuzz.sh` runs them by hand
with other inputs. The inputs here are the same in every run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.__main__ import COMMAND_LINE
from tests.hostile.readers import all_readers

_REPOSITORY = Path(__file__).resolve().parents[2]
# Readers of which no input is right by chance, so that all are refused.
_NEVER_READ = {"fast tokenizer"}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Any]:
    """What happened to the inputs of each reader."""
    command = [sys.executable, "-m", "tests.hostile", "--gate"]
    done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {entry["reader"]: entry for entry in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", [*(reader.name for reader in all_readers()), COMMAND_LINE])
def test_hostile_input_is_read_or_refused_in_one_line(outcomes: dict[str, Any], name: str) -> None:
    found = outcomes[name]
    assert not found["fault"]
    assert sum(found["endings"].values()) >= 20
    # Otherwise the strategy or the command would not test the reader at all.
    accepted = found["endings"].get("read", 0) + found["endings"].get("reached MindSpore", 0)
    assert accepted or name in _NEVER_READ
