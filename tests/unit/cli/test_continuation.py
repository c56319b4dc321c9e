"""The command line that continues an interrupted training."""

from __future__ import annotations

import json
import shlex

import pytest

from scimind.cli import parse
from scimind.cli.continuation import COMMAND, command_to_continue


def test_the_command_is_repeated_with_the_flag() -> None:
    line = command_to_continue(["scimind", "finetune", "--config", "my run.yaml", "--train_dataset", "a'b"])
    words = shlex.split(line)
    assert words[:2] == ["scimind", "finetune"] and words[-2:] == ["--resume_training", "True"]
    args = parse(words[1:])
    assert (str(args.config), args.resume_training, args.train_dataset) == ("my run.yaml", True, "a'b")


@pytest.mark.parametrize("given", [["--resume_training", "step_000300"], ["--resume_training=False"]])
def test_an_earlier_flag_is_replaced(given: list[str]) -> None:
    line = command_to_continue(["scimind", "finetune", *given, "--config", "a.yaml"])
    assert line == "scimind finetune --config a.yaml --resume_training True"


def test_a_worker_names_the_launchers_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND, json.dumps(["bash", "scripts/run_distribute.sh", "--workers", "2"]))
    assert command_to_continue(["python", "x.py"]) == (
        "bash scripts/run_distribute.sh --workers 2 --resume_training True"
    )
