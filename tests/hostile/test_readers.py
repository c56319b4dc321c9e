"""No file and no command line, however damaged, ends in a traceback, takes long or fills the memory.

The fuzzers run in a process of their own, in which MindSpore cannot be imported; `scripts/fuzz.sh` runs them by hand
with other inputs. The inputs here are the same in every run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_NEVER_READ = {"fast tokenizer"}  # SciMind reads no such file, but says what it is


def test_hostile_input_is_read_or_refused_in_one_line() -> None:
    command = [sys.executable, "-m", "tests.hostile", "--gate"]
    done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    outcomes = {entry["reader"]: entry for entry in map(json.loads, done.stdout.splitlines())}
    assert {"configuration", "JSON list", "parquet", "safetensors", "metrics.json", "command line"} <= outcomes.keys()
    assert [entry["fault"] for entry in outcomes.values() if entry["fault"]] == []
    # Otherwise a strategy or a command would not test its reader at all.
    assert [name for name, entry in outcomes.items() if sum(entry["endings"].values()) < 20] == []
    verbs = {verb for entry in outcomes.values() for verb in entry["accepted by"]}
    assert verbs == {"prepare", "predict", "evaluate", "report", "convert", "check"}
    accepted = {name for name, entry in outcomes.items() if {"read", "reached MindSpore"} & entry["endings"].keys()}
    assert outcomes.keys() - accepted == _NEVER_READ
