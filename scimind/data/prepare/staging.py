"""Output files that appear together: written to a temporary folder, and moved when the last one is complete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scimind.atomic import new_files
from scimind.errors import SciMindError


@contextmanager
def staged(folder: Path, name: str, files: Sequence[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yields a temporary folder whose files are moved to `folder` at the end; see `scimind.atomic.new_files`.

    Args:
        folder: Folder of the files; created if necessary.
        name: Name of the results, whose lock the caller holds.
        files: All files that may be written, in the order in which they are moved; existing ones that are not written
            again are removed.
        overwrite: Whether existing files may be replaced.

    Raises:
        SciMindError: A file exists and must not be replaced, or the folder cannot be written.
    """
    _refuse_existing(folder, () if overwrite else files)
    try:
        with new_files(folder, files, f".{name}.partial") as scratch:
            yield scratch
            _refuse_existing(folder, () if overwrite else files)  # of a preparation under another name, `name_eval`
    except OSError as error:
        raise cannot_write(folder, error.strerror or str(error)) from error


def _refuse_existing(folder: Path, files: Sequence[str]) -> None:
    present = [file for file in files if (folder / file).exists()]
    if present:
        raise SciMindError(
            f"{folder / present[0]} exists; give --overwrite to replace it, or another --name or --output"
        )


def cannot_write(path: Path, reason: str) -> SciMindError:
    """Returns the error for a path that cannot be written."""
    return SciMindError(f"{path} cannot be written ({reason}); give a writable --output folder with free space")
