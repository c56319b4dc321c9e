"""Files are used only if nobody else can change them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from scimind.runtime.trust import copy_own, is_own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cache" / "inner").mkdir(parents=True, mode=0o700)
    (tmp_path / "cache").chmod(0o700)
    (tmp_path / "cache" / "inner" / "graph").write_bytes(b"graph")
    return tmp_path / "cache"


def test_own_files_are_copied_into_a_private_folder(folder: Path, tmp_path: Path) -> None:
    copy_own(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "inner" / "graph").read_bytes() == b"graph"
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    assert is_own(folder) and not is_own(tmp_path / "missing")


@pytest.mark.parametrize("name", [".", "inner", "inner/graph"])
@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_what_others_can_write_is_not_copied(folder: Path, tmp_path: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(PermissionError):
        copy_own(folder, tmp_path / "copy")
    assert not is_own(folder / name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("name", [".", "inner", "inner/graph"])
def test_what_another_user_owns_is_not_copied(folder: Path, tmp_path: Path, name: str) -> None:
    os.chown(folder / name, 65534, -1)
    with pytest.raises(PermissionError):
        copy_own(folder, tmp_path / "copy")
    assert not is_own(folder / name)


def test_links_and_pipes_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(OSError):
        copy_own(tmp_path / "link", tmp_path / "copy")
    assert not is_own(tmp_path / "link")
    os.mkfifo(folder / "pipe", 0o600)
    with pytest.raises(PermissionError):
        copy_own(folder, tmp_path / "copy")
