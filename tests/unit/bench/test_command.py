"""The command runs at tiny sizes, documented commands parse, and a changed weight is noticed."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run
from llama import ROUTED, SMOKE
from pairs import Mismatch, check
from tokenizer import LoopTokens, SciMindTokens, record_texts
from training import SciMindTraining, TorchTraining
from worker import Side, Worker

ROOT = Path(__file__).parents[3]
COMMAND = ROOT / "scripts" / "bench" / "run.py"


class ChangedTraining(TorchTraining):
    """PyTorch's side with one number of one weight changed."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.model.model.layers[1].mlp.up_proj.weight.data[3, 5] += 0.1


class BothTrainings(TorchTraining):
    """PyTorch's side, and the changed one, in one process."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.changed = ChangedTraining(**given)

    def outputs(self) -> dict[str, np.ndarray]:
        return super().outputs() | {f"changed {name}": value for name, value in self.changed.outputs().items()}


class ForgetfulTokens(LoopTokens):
    """The loop without one of the added tokens."""

    def __init__(self, records: int) -> None:
        super().__init__(records)
        self.ids["{|=|}"] += 1


def outputs(side: Side, folder: Path) -> dict[str, np.ndarray]:
    with Worker(side, folder / "log") as worker:
        return worker.outputs()


def test_command_measures_and_writes_both_tables(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(COMMAND),
        "--smoke",
        "--only",
        "tokenizer",
        "record-costs",
        "--output",
        str(tmp_path),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == (tmp_path / "bench.md").read_text()
    for many in ("one process", "two processes"):
        assert f"| tokenizer, 20 records | SciMind, {many}: " in done.stdout
    rows = json.loads((tmp_path / "bench.json").read_text())["rows"]
    assert {row["kind"] for row in rows} == {"Row", "Cost"}
    assert len(rows[0]["record"]["ratios"]) == 2


@pytest.mark.parametrize("document", ["README.md", "scripts/bench/README.md"])
def test_documented_commands_parse(document: str) -> None:
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("python scripts/bench/run.py")]
    assert commands
    for words in commands:
        run.build_parser().parse_args(words[2:])


def test_every_run_of_the_tokenizer_has_other_records() -> None:
    first, second = (list(record_texts(50, number)) for number in (0, 1))
    assert len({*first, *second}) == 100


def test_tokenizer_check_fails_with_a_wrong_token() -> None:
    for processes in (1, 2):
        assert check(SciMindTokens(20, processes).outputs(), LoopTokens(20).outputs()) == 0
    with pytest.raises(Mismatch):
        check(SciMindTokens(20).outputs(), ForgetfulTokens(20).outputs())


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_training_check_fails_with_a_changed_weight(tmp_path: Path) -> None:
    """Losses and gradients equal PyTorch's, and differ if one of its weights differs."""
    given = {"sizes": SMOKE, "batch_size": 2, "routing": ROUTED}
    ours = outputs(Side("SciMind", SciMindTraining, given), tmp_path)
    both = outputs(Side("PyTorch", BothTrainings, given, "torch"), tmp_path)
    theirs, changed = ({name: both[f"{kind}{name}"] for name in ours} for kind in ("", "changed "))
    assert len(both) == 2 * len(ours)
    assert check(ours, theirs) < 1e-5
    with pytest.raises(Mismatch):
        check(ours, changed)
