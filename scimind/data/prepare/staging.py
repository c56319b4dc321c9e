"""Output files that appear all at once: written beside their place, moved when the last one is complete."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scimind.errors import SciMindError


@contextmanager
def staged(folder: Path, names: Sequence[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yields a temporary folder inside `folder`; what is written there under `names` is moved to `folder` at the end.

    After an exception, an interruption included, nothing has changed in `folder`. File names are kept, since a
    MindRecord file knows its own. Files of `names` that were there and are not written again are removed.

    Args:
        folder: Where the files go; made if need be.
        names: All files that may be written, in the order in which they are moved.
        overwrite: Whether files that exist may be replaced.

    Raises:
        SciMindError: A file exists and may not be replaced, or the folder cannot be written.
    """
    present = [name for name in names if (folder / name).exists()]
    if present and not overwrite:
        raise SciMindError(
            f"{folder / present[0]} exists; give --overwrite to replace it, or another --name or --output"
        )
    scratch: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        yield scratch
        for name in names:
            if (scratch / name).exists():
                (scratch / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(folder, error.strerror or str(error)) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


def cannot_write(path: Path, reason: str) -> SciMindError:
    """Returns the error for a place that cannot be written."""
    return SciMindError(f"{path} cannot be written ({reason}); give an --output folder that is writable and has room")
