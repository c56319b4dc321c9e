"""Files and folders appear atomically: what a reader finds before, during and after writing, and after a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scimind.atomic import new_file, new_files, new_folder, remove_folder, remove_leftovers, replace_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "old", durable=durable)
    with new_file(path, durable=durable) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, fault: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "old")
    with pytest.raises(fault), new_file(path) as temporary:
        temporary.write_text("half")
        raise fault
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_text_is_written_unchanged(tmp_path: Path) -> None:
    replace_text(tmp_path / "a", "é\r\n\n\ud800", errors="backslashreplace")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\r\n\n\\ud800"
    with pytest.raises(UnicodeEncodeError):
        replace_text(tmp_path / "a", "\ud800")
    assert (tmp_path / "a").read_bytes().startswith(b"\xc3") and names(tmp_path) == ["a"]


def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        replace_text(path, "")
    assert caught.value.filename == str(path)


@pytest.mark.parametrize("durable", [False, True])
def test_a_folder_is_replaced_whole(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "deep" / "folder"
    with new_folder(path, durable=durable) as temporary:
        (temporary / "old").touch()
        assert not path.exists()
    with pytest.raises(ValueError), new_folder(path, durable=durable) as temporary:
        (temporary / "half").touch()
        raise ValueError
    assert names(path) == ["old"]
    with new_folder(path, durable=durable) as temporary:
        assert names(temporary) == []
        (temporary / "new").touch()
    assert names(path) == ["new"] and names(path.parent) == ["folder"]


def test_the_first_of_several_processes_that_write_a_folder_wins(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with pytest.raises(OSError), new_folder(path, shared=True) as temporary:
        assert str(os.getpid()) in temporary.name
        path.mkdir()  # as another process would
        (path / "first").touch()
    assert names(tmp_path) == ["folder"] and names(path) == ["first"]


def test_files_appear_together_and_those_not_written_again_are_removed(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("old")
    (tmp_path / "c").write_text("another's")
    with pytest.raises(ValueError), new_files(tmp_path, ["a", "b"], ".scratch") as scratch:
        (scratch / "a").write_text("half")
        raise ValueError
    assert names(tmp_path) == ["b", "c"]
    (tmp_path / ".scratch").mkdir()  # as a killed process leaves it
    (tmp_path / ".scratch" / "b").write_text("half")
    with new_files(tmp_path, ["a", "b"], ".scratch") as scratch:
        (scratch / "a").write_text("new")
        assert not (tmp_path / "a").exists()
    assert names(tmp_path) == ["a", "c"]


def test_folders_are_removed_and_so_are_leftovers_of_a_killed_process(tmp_path: Path) -> None:
    for name in ("step_000001", ".step_000002.tmp", ".other.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    remove_folder(tmp_path / "step_000001")
    remove_folder(tmp_path / "never_there")
    remove_leftovers(tmp_path, "step_*")
    assert names(tmp_path) == [".other.tmp"]


def test_a_folder_survives_a_kill_between_the_renamings(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with new_folder(path) as temporary:
        (temporary / "first").touch()
    path.rename(tmp_path / ".folder.earlier")  # as a killed process leaves it
    with pytest.raises(ValueError), new_folder(path):
        assert names(path) == ["first"]
        raise ValueError
    with new_folder(path) as temporary:
        (temporary / "second").touch()
    assert names(path) == ["second"] and names(tmp_path) == ["folder"]
