"""Error messages when a checkpoint cannot be split; tests/parallel splits one by a real strategy."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.checkpoint.formats.layouts import change_layout
from scimind.cli import main
from scimind.errors import SciMindError


@pytest.mark.parametrize(
    ("existing", "complaint"),
    [
        ([], "does not exist"),
        (["in/other.txt", "strategy"], "rank_0"),
        (["in/rank_0/a.ckpt"], "--from-strategy"),
        (["in/rank_0/a.ckpt", "strategy", "out/file"], "already exists"),
        (["in/rank_0/a.ckpt", "strategy/readme"], "no strategy files"),
        (["in/rank_0/a.ckpt", "strategy"], "MindSpore cannot change its layout"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, existing: list[str], complaint: str) -> None:
    for name in existing:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not a checkpoint")
    with pytest.raises(SciMindError, match=complaint) as caught:
        change_layout(tmp_path / "in", tmp_path / "out", tmp_path / "strategy", None)
    assert "\n" not in str(caught.value)


def test_nothing_else_changes_with_the_layout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["convert", "--input", "a.ckpt", "--output", str(tmp_path / "out"), "--to-strategy", "s.ckpt"]
    assert main([*command, "--to", "hf"]) == 2
    assert "only change how a checkpoint is sharded" in capsys.readouterr().err
