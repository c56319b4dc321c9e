"""The configuration of a model is found from any of the paths that users have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scimind.checkpoint.source import configuration_of
from scimind.config import load_config
from scimind.errors import CheckpointError, ConfigError
from scimind.runtime.run_folder import plain

SIZES = {"hidden_size": 32, "num_layers": 1, "num_heads": 4, "intermediate_size": 64, "vocab_size": 2112}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder as a training leaves it; the weights are empty, since nothing reads them here."""
    config = load_config("scimind_nano_finetune", [f"model.model_config.{name}={size}" for name, size in SIZES.items()])
    step = tmp_path / "run" / "checkpoint" / "step_000003"
    step.mkdir(parents=True)
    (step / "model.ckpt").write_bytes(b"")
    (tmp_path / "run" / "resolved_config.yaml").write_text(json.dumps(plain(config.to_dict())))
    return tmp_path / "run"


def test_a_run_a_moved_run_its_checkpoint_and_its_weights_have_the_runs_configuration(run: Path) -> None:
    moved = run.with_name("moved")
    shutil.copytree(run, moved)
    step = Path("checkpoint") / "step_000003"
    for path in (run, moved, moved / "checkpoint", moved / step, moved / step / "model.ckpt"):
        found = configuration_of(path)
        assert found.run_mode == "predict" and found.model_config["use_past"]
        assert found["load_checkpoint"] == str((run if path == run else moved) / step / "model.ckpt")
        assert {name: found.model_config[name] for name in SIZES} == SIZES


def test_overrides_come_last(run: Path) -> None:
    found = configuration_of(run, ["generation.max_new_tokens=7", "load_checkpoint=elsewhere"])
    assert found.generation["max_new_tokens"] == 7 and found["load_checkpoint"] == "elsewhere"


def test_a_converted_folder_has_its_own_configuration(run: Path) -> None:
    step = run / "checkpoint" / "step_000003"
    config = load_config("scimind_nano_predict", ["load_checkpoint=nowhere", "generation.max_new_tokens=9"])
    (step / "predict.yaml").write_text(config.to_yaml())
    found = configuration_of(step)
    assert found.generation["max_new_tokens"] == 9 and found["load_checkpoint"] == str(step / "model.ckpt")


def test_a_checkpoint_that_was_moved_alone_is_described_by_its_scimind_json(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(run / "checkpoint" / "step_000003", alone)
    with pytest.raises(CheckpointError, match="nothing next to it says what model it is"):
        configuration_of(alone)
    full = load_config("scimind_nano_finetune").model_config
    names = ("num_experts", "router", "score", "experts_per_token", "shared_experts", "expert_sets")
    content = {
        "model": {**SIZES, "seq_length": 160, "arch": "SciMindForCausalLM", "type": "SciMindConfig"},
        "routing": {name: full[name] for name in names if full.get(name) is not None},
        "modality_ranges": {},
    }
    (alone / "scimind.json").write_text(json.dumps(content))
    found = configuration_of(alone)
    assert {name: found.model_config[name] for name in SIZES} == SIZES
    assert found.model_config["expert_sets"] == full["expert_sets"]
    (alone / "scimind.json").write_text(json.dumps(content | {"tokenizer_fingerprint": "another"}))
    with pytest.raises(CheckpointError, match="its tokenizer is not the shipped one"):
        configuration_of(alone)


def test_names_and_files_work_and_anything_else_is_an_error(tmp_path: Path) -> None:
    assert configuration_of("scimind_nano_predict")["load_checkpoint"] == "./output/nano"
    config = load_config("scimind_nano_finetune")
    config.save(tmp_path / "own.yaml")
    with pytest.raises(ConfigError, match=r"no such file, folder or shipped configuration; give a run's output folder"):
        configuration_of(tmp_path / "none")
    with pytest.raises(CheckpointError, match="no weights"):
        configuration_of(tmp_path)
