"""The configuration of a run: what is accepted, filled in and written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scimind.config import RunConfig, load_config
from scimind.errors import ConfigError, SciMindError
from tests.unit.config.support import MODEL, NANO, ROOT, faults_of, written

EVERY_YAML = sorted((ROOT / "configs").glob("**/*.yaml"))


@pytest.mark.parametrize("path", EVERY_YAML, ids=lambda path: path.stem)
def test_every_shipped_yaml_loads_and_opens_with_its_command(path: Path) -> None:
    config = load_config(path)
    opening = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert path.relative_to(ROOT).as_posix() in opening
    assert "Device" in opening
    if config.run_mode != "predict":
        assert "First losses" in opening


@pytest.mark.parametrize("path", EVERY_YAML, ids=lambda path: path.stem)
def test_resolved_configuration_loads_back_to_itself(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    config.save(tmp_path / "deep" / "resolved.yaml")
    again = load_config(tmp_path / "deep" / "resolved.yaml")
    assert again == config
    assert list(again["model"]["model_config"]) == list(config["model"]["model_config"])


def test_resolved_configuration_can_be_overridden(tmp_path: Path) -> None:
    load_config(NANO).save(tmp_path / "resolved.yaml")
    config = load_config(
        tmp_path / "resolved.yaml", ["--train_dataset.data_loader.dataset_dir=elsewhere", "--generation.do_sample=True"]
    )
    assert config.at("train_dataset_task.dataset_config.data_loader.dataset_dir") == "elsewhere"
    assert config.generation["do_sample"] is True


def test_loading_a_configuration_loads_no_mindspore() -> None:
    code = (
        "import sys; from scimind.config import load_config; "
        f"load_config({str(NANO)!r}); "
        "sys.exit(any(name.partition('.')[0] in ('mindspore', 'mindformers') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(NANO, ["--runner_config.epochs=-1", "--bla=1", MODEL + "num_heads=3", MODEL + "use_past=True"])
    assert len(caught.value.faults) == 4
    assert str(caught.value).startswith(f"{NANO}: ")


def test_values_take_their_final_form(tmp_path: Path) -> None:
    overrides = [
        "--lr_schedule.learning_rate=5e-5",
        MODEL + "expert_sets.text=[0..2, 5]",
        "--runner_config.global_batch_size=4",
    ]
    config = load_config(NANO, overrides)
    assert config.at("lr_schedule.learning_rate") == 5e-5
    assert config.model_config["expert_sets"]["text"] == [0, 1, 2, 5]
    assert config.model_config["compute_dtype"] == "float32"
    assert config.global_batch_size == 4
    assert config.devices == 1
    assert config.at("no.such.place", "default") == "default"


def test_generation_settings_are_accepted_in_mindformers_places(tmp_path: Path) -> None:
    tree: dict[str, Any] = yaml.safe_load(NANO.read_text(encoding="utf-8"))
    tree["model"]["model_config"].update(do_sample=True, top_k=3)
    tree["predict_batch_size"] = 5
    path = written(tmp_path, yaml.safe_dump(tree))
    config = load_config(path, [MODEL + "top_p=0.5", MODEL + "top_k=4"])
    assert config.generation["do_sample"] is True
    assert (config.generation["top_k"], config.generation["top_p"], config.generation["batch_size"]) == (4, 0.5, 5)
    assert "do_sample" not in config.model_config
    tree["generation"] = {"top_k": 9}
    assert "model.model_config.top_k (3) differs from generation.top_k (9)" in faults_of(
        path=written(tmp_path, yaml.safe_dump(tree))
    )


def test_configuration_from_python_is_a_copy() -> None:
    tree = yaml.safe_load(NANO.read_text(encoding="utf-8"))
    config = RunConfig(tree)
    config.model_config["num_layers"] = 1
    assert tree["model"]["model_config"]["num_layers"] == 4
    plain = config.to_dict()
    plain["seed"] = 99
    assert config.seed == 0
    assert type(plain) is dict


def test_devices_and_batch_of_eight_cards() -> None:
    config = load_config(ROOT / "configs" / "scimind_7b_finetune.yaml")
    assert config.devices == 8
    assert config.global_batch_size == 64


def test_unwritable_place_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SciMindError, match="cannot be written"):
        load_config(NANO).save(tmp_path / "file" / "resolved.yaml")


def test_training_settings_predict_with_a_cache() -> None:
    assert load_config(NANO).model_config["use_past"] is False
    assert load_config(NANO, ["run_mode=predict", "generation.max_new_tokens=9"]).model_config["use_past"] is True
    evaluated = load_config(NANO, ["run_mode=eval"])
    assert evaluated.model_config["use_past"] is False
