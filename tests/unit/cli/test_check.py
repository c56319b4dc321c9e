"""`scimind check`: the resolved configuration and its costs, without MindSpore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scimind.cli import main
from scimind.config import load_config

ROOT = Path(__file__).parents[3]
NANO = ROOT / "configs" / "scimind_nano_finetune.yaml"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["check", *arguments]) == 0
    return capsys.readouterr().out


def test_resolved_settings_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "--config", str(NANO), "--epochs", "3").partition("\n# Parameters")[0]
    assert yaml.safe_load(text) == load_config(NANO, ["--runner_config.epochs=3"]).to_dict()


def test_costs_of_the_nano_model(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "--config", str(NANO)).splitlines()
    # 2 x 2,112 x 128, 4 x (4 x 128 x 128 + 3 x 128 x 512 + 2 x 128), and 128.
    assert any(line.split() == ["total", "1,590,400"] for line in lines)
    assert any(line.startswith("smiles") and "8/16" in line and "0.50 dense" in line for line in lines)
    assert "1 x CPU" in lines
    assert "global batch 16 records, up to 2,560 tokens per step" in lines
    assert any(line.startswith("optimizer") for line in lines)


def test_costs_of_predicting_have_a_cache_and_no_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "--config", str(ROOT / "configs" / "scimind_7b_predict.yaml")).splitlines()
    memory = lines[lines.index("# Memory of one device, estimated for run_mode predict") :]
    assert any(line.startswith("cache") for line in memory)
    assert not any(line.startswith("gradients") for line in memory)


def test_eight_cards(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "--config", str(ROOT / "configs" / "scimind_7b_finetune.yaml")).splitlines()
    assert "8 x Ascend" in lines
    assert "data_parallel 2, model_parallel 1, context_parallel 1, pipeline_stage 4" in lines


def test_check_loads_no_mindspore() -> None:
    code = (
        "import sys; from scimind.cli import main; status = main(); "
        "sys.exit(status or any(name.partition('.')[0] in ('mindspore', 'mindformers') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, "check", "--config", str(NANO)], cwd=ROOT, capture_output=True)
    assert done.returncode == 0


def memory_lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    lines = shown(capsys, *arguments).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("# Memory"))
    return lines[first : lines.index("", first)]


def test_cards_are_large_enough_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "configs" / "scimind_7b_finetune_910b.yaml")
    fits = memory_lines(capsys, "--config", path, "--runner_config.batch_size=4")
    assert any(line.startswith("fits") and "32 GB" in line for line in fits)
    lines = memory_lines(capsys, "--config", path, "--runner_config.batch_size=32")
    assert any(line.startswith("does not fit") and "32 GB" in line for line in lines)
    assert any(line.startswith("does not fit") and "64 GB" in line for line in lines)
    assert any("context.max_device_memory (58GB)" in line for line in lines)


def test_the_fullest_stage_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "configs" / "scimind_7b_finetune.yaml")
    assert memory_lines(capsys, "--config", path)[0].endswith("run_mode finetune, stage 3 of the pipeline")


def test_a_cpu_is_compared_with_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    lines = memory_lines(capsys, "--config", str(NANO))
    assert any(line.startswith("fits") and "of this machine" in line for line in lines)
    assert not any("twice" in line for line in lines)
    slow = memory_lines(capsys, "--config", str(NANO), "--model.model_config.kernels=mindformers")
    assert any("twice" in line for line in slow)
