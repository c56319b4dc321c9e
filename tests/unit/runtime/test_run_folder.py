"""The run's folder: its content, and what happens to an earlier run's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from scimind.errors import SciMindError
from scimind.runtime.run_folder import RunFolder, worker


def test_the_folder_is_made_and_described(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "a" / "b", "finetune")
    folder.write_description({"seed": 1, "path": Path("x"), "sizes": (1, 2)})
    assert yaml.safe_load((folder.root / "resolved_config.yaml").read_text()) == {
        "seed": 1,
        "path": "x",
        "sizes": [1, 2],
    }
    assert json.loads((folder.root / "versions.json").read_text())["scimind"]
    assert sorted(path.name for path in folder.root.iterdir()) == ["log", "resolved_config.yaml", "versions.json"]


def test_a_folder_without_space_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SciMindError, match="MiB free, but the run writes .* make room"):
        RunFolder.create(tmp_path, "finetune", needed_bytes=2**60)


def test_workers_have_separate_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK_ID", "3")
    monkeypatch.setenv("RANK_SIZE", "8")
    assert worker() == (3, 8)
    folder = RunFolder.create(tmp_path, "finetune", rank=3, is_reporter=False)
    assert folder.log_file == tmp_path / "log" / "finetune_rank_3.log"


def test_earlier_runs_are_set_aside_one_by_one(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "finetune")
    folder.checkpoint.mkdir()
    assert folder.set_earlier_run_aside() is None
    for number in (1, 2):
        folder.loss_table.write_text(str(number))
        assert folder.set_earlier_run_aside() == tmp_path / "earlier" / str(number)
        assert not folder.loss_table.exists()
    assert (tmp_path / "earlier" / "1" / "loss.csv").read_text() == "1"
    folder.remove_empty_folders()
    assert not folder.checkpoint.exists()


def test_checkpoints_after_the_one_in_use_are_set_aside(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "finetune")
    for step in (10, 20):
        (folder.checkpoint / f"step_{step:06d}").mkdir(parents=True)
    folder.loss_table.write_text("losses")
    assert folder.set_later_steps_aside([]) is None
    assert folder.set_later_steps_aside([folder.checkpoint / "step_000020"]) == tmp_path / "earlier" / "1"
    assert [path.name for path in folder.checkpoint.iterdir()] == ["step_000010"]
    assert [path.name for path in (tmp_path / "earlier" / "1" / "checkpoint").iterdir()] == ["step_000020"]
    assert (tmp_path / "earlier" / "1" / "loss.csv").read_text() == folder.loss_table.read_text() == "losses"
