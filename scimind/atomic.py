"""Replaces files and folders atomically: a reader sees the old one or the new one, never a part.

Everything is written under a temporary name in the same folder and renamed at the end. After an exception, including
an interruption, the old content is unchanged and the temporary name is gone.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def new_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yields a temporary path to write a file to; it replaces `path` when the context ends.

    Args:
        path: The file; its folder must exist.
        durable: Whether the bytes must be on disk before the file is renamed.

    Raises:
        OSError: The file cannot be written; the error names `path`.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        if durable:
            sync(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)
        raise


def replace_text(path: Path, text: str, *, errors: str = "strict", durable: bool = False) -> None:
    """Writes a text file in UTF-8, with line breaks unchanged.

    Args:
        path: The file; its folder must exist.
        text: Its content.
        errors: How a lone surrogate is handled, see `str.encode`.
        durable: Whether the bytes must be on disk before the file is renamed.

    Raises:
        OSError: The file cannot be written.
    """
    with new_file(path, durable=durable) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors))


@contextmanager
def new_folder(path: Path, *, durable: bool = False, shared: bool = False) -> Iterator[Path]:
    """Yields an empty temporary folder, which replaces `path` when the context ends.

    Args:
        path: The folder; its parents are created.
        durable: Whether the files of the folder, which must not have subfolders, must be on disk before it is renamed,
            and its new name before this returns.
        shared: Whether several processes may create the folder at the same time. Each writes its own, and the first to
            finish wins; an existing folder is then not replaced.

    Raises:
        OSError: The folder cannot be written, or is shared and another process has created it.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}") if shared else _temporary(path)
    earlier = path.with_name(f".{path.name}.earlier")
    if earlier.exists() and not path.exists() and not shared:
        os.replace(earlier, path)  # a process was killed between the two renamings below
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if durable:
            for written in (*temporary.iterdir(), temporary):
                sync(written)
        if path.exists() and not shared:
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
            shutil.rmtree(earlier, ignore_errors=True)
            os.replace(path, earlier)
        os.replace(temporary, path)
        if durable:
            sync(path.parent)
        if not shared:
            shutil.rmtree(earlier, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_files(folder: Path, names: Sequence[str], scratch_name: str) -> Iterator[Path]:
    """Yields a temporary folder inside `folder`; files written to it are moved to `folder` when the context ends.

    Each file has its final name from the start, for formats that store their name. An exception before the end leaves
    `folder` unchanged.

    Args:
        folder: Folder of the files; created with its parents.
        names: All files that may be written, in the order in which they are moved. An existing file in `folder` that
            is not written again is removed.
        scratch_name: Name of the temporary folder. What a killed process left under it is removed, so that the caller
            must be the only one who uses it; see `scimind.locking`.

    Raises:
        OSError: A file cannot be written.
    """
    scratch = folder / scratch_name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        yield scratch
        for name in names:
            if (scratch / name).exists():
                os.replace(scratch / name, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Deletes a folder; if that fails, it stays complete, or under its temporary name."""
    temporary = _temporary(path)
    with suppress(OSError):
        shutil.rmtree(temporary, ignore_errors=True)
        os.replace(path, temporary)
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Deletes folders that a killed process had begun to write or to delete.

    Args:
        folder: Folder that contains them.
        pattern: Pattern of their final names, such as "step_*".
    """
    for path in folder.glob(_temporary(Path(pattern)).name):
        shutil.rmtree(path, ignore_errors=True)


def sync(path: Path) -> None:
    """Returns once the bytes of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")
