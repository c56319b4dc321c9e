"""A training resumes from MindFormers' own checkpoints, as it does if tensors are split over devices.

CPUs cannot split them. Here one process does the same with unsplit tensors: MindFormers reads the data, writes the
checkpoints and loads them; only the splitting is not run.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scimind.config import RunConfig
from scimind.errors import CheckpointError
from scimind.train import finetune
from scimind.train.resume.sharded_checkpoints import Pieces, find_pieces
from scimind.train.settings import read_settings
from tests.integration.test_finetune import losses, make_config, read_table, write_records

STEPS, INTERVAL = 24, 5


@pytest.fixture(autouse=True)
def whole_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunConfig, "splits_tensors", property(lambda config: True))


def config_of(data: Path, output_dir: Path, **changes):
    checkpoint = {"type": "CheckpointMonitor", "prefix": "nano", "save_checkpoint_steps": INTERVAL}
    return make_config(
        data, output_dir, runner_config__max_steps=STEPS, callbacks=[checkpoint], do_eval=False, **changes
    )


def test_a_training_resumes_from_pieces(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = write_records(tmp_path / "train.mindrecord")
    whole = finetune(config_of(data, tmp_path / "whole"))
    assert (tmp_path / "whole/checkpoint/rank_0").is_dir() and whole.steps == STEPS
    cut = config_of(data, tmp_path / "cut", runner_config__stop_step=12, resume_training=True)
    capfd.readouterr()
    first = finetune(cut)
    assert "no checkpoint of a training yet" in capfd.readouterr().out
    assert first.steps == 12
    rest = finetune(config_of(data, tmp_path / "cut", resume_training=True))
    shown = capfd.readouterr().out
    assert "resuming from" in shown and f"training steps {rest.first_step + 1} to {STEPS}" in shown
    assert 0 < rest.first_step <= 12 and rest.steps == STEPS
    assert [row["step"] for row in read_table(tmp_path / "cut")] == [str(step) for step in range(1, STEPS + 1)]
    np.testing.assert_allclose(losses(tmp_path / "cut"), losses(tmp_path / "whole"), rtol=0, atol=1e-5)
    assert_faults_are_reported(data, tmp_path / "cut")


def assert_faults_are_reported(data: Path, output_dir: Path) -> None:
    folder, said = output_dir / "checkpoint", []

    def find(workers: int = 1, **changes: Any) -> Pieces | None:
        settings = read_settings(RunConfig(config_of(data, output_dir, **{"resume_training": True, **changes})))
        return find_pieces(replace(settings, workers=workers), output_dir, said.append)

    last = find()
    assert last is not None and last.step == STEPS and last.name.startswith("nano_rank_0_1-")
    piece = folder / "rank_0" / last.name
    piece.write_bytes(piece.read_bytes()[:1000])
    before = find()
    assert f"skipping {last.name}" in said[-2] and before is not None and 12 <= before.step < STEPS
    assert find(resume_training=before.name.replace("_rank_0", "_rank_3")) == before  # any device's name will do
    with pytest.raises(CheckpointError, match=r"resume_training \(nano_rank_0-9_9\) is not a file in"):
        find(resume_training="nano_rank_0-9_9")
    with pytest.raises(CheckpointError, match=r"no checkpoint from which 2 devices can resume .*rank_1.* is missing"):
        find(workers=2)
    (folder / "rank_1").mkdir()
    other = next(path for path in folder.glob("rank_0/*.ckpt") if path.name not in (last.name, before.name))
    shutil.copy(other, folder / "rank_1" / before.name.replace("_rank_0", "_rank_1"))
    with pytest.raises(CheckpointError, match="no checkpoint from which 2 devices can resume"):
        find(workers=2)
    assert any(f"the pieces of {before.name} are of steps" in line for line in said)
