"""Settings of a training, read without MindSpore."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scimind.config import RunConfig
from scimind.config.canonical import TRAINING_MODES
from scimind.errors import ConfigError
from scimind.train.callback_settings import checkpoint_bytes
from scimind.train.settings import TrainSettings, read_settings, trainer_tree


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    for name in ("a.mindrecord", "b.mindrecord0", "b.mindrecord1"):
        (tmp_path / name).write_bytes(b"")
        (tmp_path / f"{name}.db").write_bytes(b"")
    return {
        "run_mode": "finetune",
        "train_dataset": {"data_loader": {"type": "MindDataset", "dataset_dir": str(tmp_path)}},
        "runner_config": {"epochs": 3, "batch_size": 4, "sink_mode": False},
        "runner_wrapper": {"type": "MFTrainOneStepCell"},
        "optimizer": {"type": "AdamW"},
        "lr_schedule": {"type": "CosineWithWarmUpLR", "learning_rate": 1e-3, "total_steps": -1},
        "context": {"mode": 0, "device_target": "CPU"},
        "model": {
            "model_config": {
                "seq_length": 8,
                "vocab_size": 20,
                "hidden_size": 4,
                "num_heads": 2,
                "num_layers": 2,
                "compute_dtype": "float32",
                "param_init_type": "float32",
                "fused_rms_norm": False,
                "use_rope_slice": True,
            },
        },
    }


def read(config: dict[str, Any]) -> TrainSettings:
    """Reads a configuration as `scimind finetune` does."""
    return read_settings(RunConfig.of(config, *TRAINING_MODES))


def test_records_are_found_as_mindformers_finds_them(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    names = [file.name for file in read(config).train_files]
    assert names == ["a.mindrecord", "b.mindrecord0", "b.mindrecord1"]
    files = [str(tmp_path / "a.mindrecord")]
    config["train_dataset"]["data_loader"] = {"type": "MindDataset", "dataset_files": files}
    assert [file.name for file in read(config).train_files] == ["a.mindrecord"]


@pytest.mark.parametrize(
    ("drop", "repeat", "limit", "workers", "expected"),
    [(True, 1, None, 1, 5), (False, 1, None, 1, 6), (True, 2, None, 1, 10), (True, 1, 9, 1, 2), (True, 1, None, 2, 2)],
)
def test_steps_of_an_epoch(
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    drop: bool,
    repeat: int,
    limit: int | None,
    workers: int,
    expected: int,
) -> None:
    monkeypatch.setenv("RANK_SIZE", str(workers))
    config |= {"use_parallel": workers > 1, "parallel": {"parallel_mode": 0}}
    config["train_dataset"] |= {"drop_remainder": drop, "repeat": repeat}
    if limit is not None:
        config["train_dataset"]["data_loader"]["num_samples"] = limit
    assert read(config).steps_per_epoch(records=22) == expected


def test_workers_that_do_not_share_their_work_are_refused(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK_SIZE", "2")
    with pytest.raises(ConfigError, match=r"use_parallel \(False\) would make 2 workers all do the same work"):
        read(config)


def test_a_global_batch_is_kept(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    config |= {"use_parallel": True, "parallel": {"parallel_mode": 0}}
    config["runner_config"]["global_batch_size"] = 8
    for workers, share, parts in ((1, 8, 2), (2, 4, 1), (4, 2, 1)):
        monkeypatch.setenv("RANK_SIZE", str(workers))
        settings = read(config)
        assert (settings.batch_size, settings.accumulation_steps) == (share, parts)
        assert settings.steps_per_epoch(records=22) == 2
        runner = trainer_tree(settings, 2)["runner_config"]
        assert (runner["batch_size"], runner["gradient_accumulation_steps"]) == (share, 1)
        assert trainer_tree(settings, 2)["runner_wrapper"]["accumulation_steps"] == parts
    monkeypatch.setenv("RANK_SIZE", "3")
    with pytest.raises(ConfigError, match="must be a multiple of the number of workers"):
        read(config)


def test_split_tensors_share_one_batch(config: dict[str, Any]) -> None:
    config |= {"use_parallel": True, "parallel": {"parallel_mode": 1}, "context": {"device_target": "Ascend"}}
    config["parallel_config"] = {"data_parallel": 2, "pipeline_stage": 4, "micro_batch_num": 8}
    config["model"]["model_config"]["num_layers"] = 4
    settings = read(config)
    assert settings.splits_tensors
    assert not settings.has_own_optimizer
    assert settings.steps_per_epoch(records=640) == 640 // (4 * 2 * 8)
    assert (
        checkpoint_bytes(settings.callbacks, settings.model_config) == 0
    )  # MindFormers writes them, and each worker its part
    config["do_eval"] = True
    with pytest.raises(ConfigError, match="does not work with a pipeline"):
        read(config)


def test_max_steps_sets_epochs_and_schedule(config: dict[str, Any]) -> None:
    tree = trainer_tree(read(config), steps_per_epoch=5)
    # All passes of SciMind's batches are one MindFormers epoch.
    assert (tree["runner_config"]["epochs"], tree["lr_schedule"]["total_steps"]) == (1, 15)
    config["runner_config"] |= {"max_steps": 12, "stop_step": 7}
    settings = read(config)
    tree = trainer_tree(settings, steps_per_epoch=5)
    assert (tree["runner_config"]["epochs"], tree["lr_schedule"]["total_steps"]) == (1, 12)
    assert "max_steps" not in tree["runner_config"]
    assert settings.stop_step == 7
    # With split tensors MindFormers reads the data.
    config |= {"use_parallel": True, "parallel": {"parallel_mode": 1}, "context": {"device_target": "Ascend"}}
    tree = trainer_tree(read(config), steps_per_epoch=5)
    assert (tree["runner_config"]["epochs"], tree["lr_schedule"]["total_steps"]) == (3, 12)
    config["lr_schedule"]["total_steps"] = 100
    assert trainer_tree(read(config), 5)["lr_schedule"]["total_steps"] == 100


def test_mindformers_loads_and_evaluates_nothing_itself(config: dict[str, Any]) -> None:
    config |= {"load_checkpoint": "", "auto_trans_ckpt": False}
    before = copy.deepcopy(config)
    tree = trainer_tree(read(config), 5)
    assert config == before
    assert tree["load_checkpoint"] == ""
    assert not tree["auto_trans_ckpt"]
    assert not tree["do_eval"]
    assert "eval_dataset" not in tree
    assert tree["model"]["model_config"]["disable_lazy_inline"]
    assert tree["runner_wrapper"]["type"] == "SciMindTrainOneStepCell"
    assert tree["train_dataset_task"]["dataset_config"]["data_loader"]["dataset_files"]


def test_callbacks_are_taken_over(config: dict[str, Any]) -> None:
    config["callbacks"] = [
        {"type": "MFLossMonitor", "per_print_times": 7},
        {"type": "CheckpointMonitor", "save_checkpoint_steps": 50, "keep_checkpoint_max": 3, "prefix": "x"},
        {"type": "SciMindLossCurve", "plot_interval": 9},
        {"type": "ProfileMonitor"},
    ]
    config["eval_step_interval"] = 25
    settings = read(config)
    assert settings.callbacks == {
        "SciMindProgress": {"step_interval": 7},
        "SciMindEvaluation": {"step_interval": 25, "epoch_interval": -1},
        "SciMindLossCurve": {"plot_interval": 9},
        "SciMindCheckpoint": {"save_checkpoint_steps": 50, "keep_checkpoint_max": 3},
    }
    assert [entry["type"] for entry in trainer_tree(settings)["callbacks"]] == ["MFLossMonitor", "ProfileMonitor"]


def test_space_for_checkpoints_is_counted(config: dict[str, Any]) -> None:
    config["model"]["model_config"]["intermediate_size"] = 16
    config["callbacks"] = [{"type": "SciMindCheckpoint", "keep_checkpoint_max": 1, "save_optimizer": False}]
    weights = 2 * 20 * 4 + 2 * (4 * 4 * 4 + 3 * 4 * 16)
    settings = read(config)
    assert checkpoint_bytes(settings.callbacks, settings.model_config) == 2 * 4 * weights


def test_all_faults_are_reported_at_once(config: dict[str, Any]) -> None:
    config["runner_config"] |= {"sink_mode": True, "epochs": 0, "global_batch_size": -2}
    config |= {"do_eval": True, "optimizer": None}
    config["model"]["model_config"]["vocab_size"] = 0
    with pytest.raises(ConfigError) as caught:
        read(config)
    for part in (
        "sink_mode",
        "epochs",
        "global_batch_size",
        "eval_dataset",
        "optimizer",
        "vocab",
    ):
        assert any(part in fault for fault in caught.value.faults), part


def test_reading_loads_no_mindspore() -> None:
    program = "import sys, scimind.train, scimind.checkpoint.weights; sys.exit('mindspore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3]).returncode == 0


def test_a_resumed_run_skips_the_records_it_has_seen(config: dict[str, Any]) -> None:
    assert "data_skip_steps" not in trainer_tree(read(config), 5)
    config |= {"resume_training": True}
    settings = read(config)
    assert settings.resume_training is True
    tree = trainer_tree(settings, 5, first_step=7)
    assert ("data_skip_steps" in tree, tree["resume_training"]) == (False, False)  # SciMind's batches start there
    assert settings.records_per_step(workers=2) == 8
    # With split tensors MindFormers reads the data.
    config |= {"use_parallel": True, "parallel": {"parallel_mode": 1}, "context": {"device_target": "Ascend"}}
    assert trainer_tree(read(config), 5, first_step=7)["data_skip_steps"] == 7
