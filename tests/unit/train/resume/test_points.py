"""From which checkpoint a training resumes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from scimind.checkpoint.weights import save_checkpoint
from scimind.errors import CheckpointError, ConfigError
from scimind.train.resume.points import ResumePoint, check_resume_point, find_resume_point
from scimind.train.settings import TrainSettings

POSITION: dict[str, Any] = {
    "format": 1,
    "total_steps": 30,
    "steps_per_epoch": 8,
    "records_per_step": 8,
    "records": 64,
    "seed": 3,
    "workers": 2,
    "load_checkpoint": None,
    "seconds": 1.0,
    "random": {},
}
SETTINGS = TrainSettings(
    tree={},
    output_dir="",
    seed=3,
    load_checkpoint=None,
    resume_training=True,
    batch_size=8,
    accumulation_steps=1,
    workers=1,
    epochs=1,
    max_steps=None,
    stop_step=None,
    train_files=[],
    eval_files=[],
    eval_limit=None,
    splits_tensors=False,
)


def save(output_dir: Path, *steps: int, has_optimizer: bool = True, **changes: Any) -> None:
    weights = [ms.Parameter(ms.Tensor(np.arange(600), ms.float32), name="a.weight")]
    for step in steps:
        save_checkpoint(
            output_dir / "checkpoint",
            step,
            weights,
            weights if has_optimizer else [],
            {},
            training={**POSITION, **changes, "step": step},
        )


def find(output_dir: Path, said: list[str] | None = None, **changes: Any) -> ResumePoint | None:
    return find_resume_point(replace(SETTINGS, **changes), output_dir, (said if said is not None else []).append)


def test_the_newest_good_one_is_used_and_damage_is_reported(tmp_path: Path) -> None:
    save(tmp_path, 10, 20, 30, 40)
    folder = tmp_path / "checkpoint"
    cut, flipped = folder / "step_000040" / "model.ckpt", folder / "step_000030" / "optimizer.ckpt"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    said: list[str] = []
    point = find(tmp_path, said)
    assert point and (point.step, point.folder.name) == (20, "step_000020")
    assert point.optimizer == folder / "step_000020" / "optimizer.ckpt"
    assert "step_000040: it is damaged, model.ckpt has" in said[0]
    assert "step_000030: it is damaged, optimizer.ckpt has changed" in said[1]
    assert said[2] == f"resuming from {folder / 'step_000020'}"
    for step in (10, 20):
        (folder / f"step_{step:06d}" / "scimind.json").write_text("{")
    with pytest.raises(CheckpointError, match="no checkpoint from which .* .step_000040: it is damaged") as caught:
        find(tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_checkpoint_a_run_starts_at_the_first_step(tmp_path: Path) -> None:
    said: list[str] = []
    assert find(tmp_path, said) is None
    assert "has no checkpoint of a training yet" in said[0]


def test_a_name_means_that_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 10, 20)
    point = find(tmp_path, resume_training="step_000010")
    assert point and point.step == 10
    with pytest.raises(CheckpointError, match="is not a checkpoint .* give step_000010, step_000020 or True"):
        find(tmp_path, resume_training="step_000015")


def test_a_checkpoint_without_the_optimizers_state_does_not_count(tmp_path: Path) -> None:
    save(tmp_path, 10)
    save(tmp_path, 20, has_optimizer=False)
    said: list[str] = []
    point = find(tmp_path, said)
    assert point and point.step == 10
    assert "without the optimizer's state" in said[0]


def test_load_checkpoint_names_another_run_or_the_weights_of_this_one(tmp_path: Path) -> None:
    other, own, base = tmp_path / "other", tmp_path / "own", tmp_path / "base"
    save(other, 50, 60)
    base.mkdir()
    shutil.copy(other / "checkpoint" / "step_000050" / "model.ckpt", base)
    for given in (other, other / "checkpoint", other / "checkpoint" / "step_000060" / "model.ckpt"):
        point = find(own, load_checkpoint=str(given))
        assert point and point.step == 60
    point = find(own, load_checkpoint=str(other / "checkpoint" / "step_000050"))
    assert point and point.step == 50
    said: list[str] = []
    assert find(own, said, load_checkpoint=str(base)) is None  # weights to start with
    assert f"{base} has no checkpoint of a training yet" in said[0]
    with pytest.raises(CheckpointError, match="does not exist"):
        find(own, load_checkpoint=str(tmp_path / "absent"))
    # The same command again, after the run has written its own.
    save(own, 70, load_checkpoint=str(base))
    point = find(own, load_checkpoint=str(base))
    assert point and point.step == 70
    # A run that started with other weights is not resumed.
    point = find(own, load_checkpoint=str(other))
    assert point and point.step == 60


def test_a_run_that_reads_its_data_differently_is_refused(tmp_path: Path) -> None:
    save(tmp_path, 10)
    point = find(tmp_path)
    assert point
    said: list[str] = []
    check_resume_point(point, POSITION | {"workers": 1}, said.append)  # as many records per step, other workers
    assert said == []
    check_resume_point(point, POSITION | {"total_steps": 60}, said.append)
    assert "now has 60 steps instead of 30" in said[0]
    with pytest.raises(ConfigError) as caught:
        check_resume_point(point, POSITION | {"records_per_step": 16, "seed": 4}, said.append)
    for part in ("has 16 records; set runner_config.global_batch_size to 8", "seed is 4; set it to 3"):
        assert part in str(caught.value)


def test_what_a_checkpoint_lacks_is_reported(tmp_path: Path) -> None:
    save(tmp_path, 10, format=2)
    with pytest.raises(CheckpointError, match="has format 2, this version reads 1"):
        find(tmp_path)
    assert json.loads((tmp_path / "checkpoint" / "step_000010" / "training.json").read_text())["records"] == 64
