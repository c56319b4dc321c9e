"""The configuration that MindFormers gets to set up devices and build a model."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.config.mindformers import model_tree

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("name", ["scimind_nano_finetune", "scimind_7b_predict", "scimind_7b_finetune_910b"])
def test_a_model_is_built_without_sections_of_training(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    before = copy.deepcopy(config)
    tree = model_tree(config, batch_size=3)
    assert tree["model"]["model_config"]["batch_size"] == 3
    assert tree["model"]["model_config"]["use_past"] is False
    for section in ("optimizer", "lr_schedule", "runner_wrapper", "train_dataset", "callbacks", "generation"):
        assert section not in tree
    for section in ("parallel_config", "recompute_config"):
        assert tree.get(section) == config.get(section)
    tree["model"]["model_config"]["num_layers"] = -1
    assert config == before


def test_each_row_has_its_places_in_the_cache() -> None:
    config = load_config(
        CONFIGS / "scimind_7b_predict.yaml",
        ["model.model_config.seq_length=100", "model.model_config.block_size=16", "generation.max_new_tokens=8"],
    )
    model = model_tree(config, batch_size=3, use_past=True)["model"]["model_config"]
    assert model["num_blocks"] == 3 * 7


def test_the_parallel_mode_is_set_if_a_configuration_leaves_it_open() -> None:
    path = CONFIGS / "scimind_nano_finetune.yaml"
    assert model_tree(load_config(path, ["use_parallel=True"]), batch_size=1)["parallel"] == {"parallel_mode": 0}
    assert "parallel" not in model_tree(load_config(path), batch_size=1)
