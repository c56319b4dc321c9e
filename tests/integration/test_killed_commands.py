"""Commands that are killed, and started again: a few trials of `scripts/kill_commands.py`, which runs many."""

from __future__ import annotations

import importlib.util
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scimind.cli import main
from tests.support import numpy_llama
from tests.support.shared import ROOT

ROWS = 80
# The share of an uninterrupted run after which each signal is sent.
TRIALS = {
    "convert": {"SIGKILL": 0.9, "SIGTERM": 0.7, "SIGINT": 0.5, "SIGHUP": 0.8},
    "prepare": {"SIGKILL": 0.7, "SIGTERM": 0.5},
    "evaluate": {"SIGINT": 0.6},
    "report": {"SIGHUP": 0.7},
}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kill_commands", ROOT / "scripts" / "kill_commands.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TRIALS)
def test_a_killed_command_that_is_started_again_writes_the_same(name: str, script: ModuleType, tmp_path: Path) -> None:
    hf = numpy_llama.save(tmp_path / "hf", numpy_llama.draw(numpy_llama.SIZES), dict(numpy_llama.SIZES))
    assert main(["convert", "--input", str(hf), "--output", str(tmp_path / "model")]) == 0
    folder = tmp_path / "work"
    script.write_inputs(folder, tmp_path / "model", rows=ROWS)
    command = script.commands()[name]
    seconds, wanted = script.reference(folder, command, runs=1)
    assert wanted
    for sent, share in TRIALS[name].items():
        number = getattr(signal, sent)
        status, kind, faults = script.attempt(folder, command, number, share * seconds, wanted)
        assert not faults, (sent, status, kind, faults)
        assert kind == "done" or status in (-number, 128 + number)


def test_other_results_and_what_is_left_are_faults(script: ModuleType, tmp_path: Path) -> None:
    """The twin that must fail: results of another input, a file that should be gone, a status, a traceback."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.json").write_text('{"value": 1, "seconds": 2.5}')
    first = script.digests(tmp_path / "out")
    (tmp_path / "out" / "x.json").write_text('{"value": 1, "seconds": 3.5}')
    assert script.digests(tmp_path / "out") == first
    (tmp_path / "out" / "x.json").write_text('{"value": 2, "seconds": 2.5}')
    assert script.digests(tmp_path / "out") != first
    assert script.leftovers(tmp_path) == []
    (tmp_path / "out" / ".x.partial").mkdir()
    (tmp_path / "tmp" / "scimind-work-abc").mkdir()
    assert script.leftovers(tmp_path) == ["out/.x.partial", "tmp/scimind-work-abc"]
    assert script.judge_stop(143, "scimind: stopped\n", signal.SIGTERM) == ("stopped", [])
    assert script.judge_stop(1, "scimind: stopped\n", signal.SIGTERM)[1] == ["status 1"]
    assert len(script.judge_stop(143, "Traceback\nscimind: stopped\nscimind: stopped\n", signal.SIGTERM)[1]) == 2
