"""Locks on outputs: one run at a time writes a file or folder, and never over a file that it reads.

The lock of `x` is the file `.x.lock` next to it, locked by the kernel (flock), which releases it when the process ends,
however it ends. The file names the process that holds it. It is removed with the lock; one that a killed process left
is not locked and does no harm.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scimind.errors import SciMindError

_LONGEST_NOTE = 4096
_COMMAND_SHOWN = 80


@contextmanager
def output_lock(
    output: str | Path, inputs: Iterable[str | Path | None] = (), *, advice: str = "choose another output"
) -> Iterator[None]:
    """Holds the lock of an output while the context lasts.

    Must be entered before anything of the output is changed. Does nothing for a device or pipe such as `/dev/stdout`,
    and on systems and file systems without locks.

    Args:
        output: The file or folder to write; the folder that contains it is created.
        inputs: Files and folders that are read; None and what does not exist are skipped.
        advice: What the user can do instead, for messages.

    Raises:
        SciMindError: The output is an input, contains one, or is being written by another run; or its folder cannot be
            written.
    """
    path = Path(output).expanduser()
    refuse_inputs(path, inputs, advice=advice)
    if is_special(path):
        yield
        return
    descriptor = _acquire(path, advice)
    try:
        yield
    finally:
        if descriptor is not None:
            with suppress(OSError):
                _lock_file(path).unlink()
            os.close(descriptor)


def refuse_inputs(output: Path, inputs: Iterable[str | Path | None], *, advice: str = "choose another output") -> None:
    """Checks that an output is not one of the inputs, under another name or as a link either, and contains none.

    Raises:
        SciMindError: It is or does.
    """
    if not output.exists():
        return
    for given in inputs:  # os.path.exists takes a name that is too long, which Path.exists does not
        source = None if given is None else Path(given).expanduser()
        if source is None or not os.path.exists(source) or is_special(source):
            continue
        if source.samefile(output):
            raise SciMindError(f"{output} is an input and would be replaced; {advice}")
        if output.is_dir() and output.resolve() in source.resolve().parents:
            raise SciMindError(f"{output} contains the input {source} and would be replaced; {advice}")


def is_special(path: Path) -> bool:
    """Returns whether a path is a device, pipe or socket."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _lock_file(path: Path) -> Path:
    target = path.resolve()  # two links to one file have one lock
    return target.with_name(f".{target.name}.lock")


def _acquire(path: Path, advice: str) -> int | None:
    """Returns the descriptor of the locked file; None where locks do not work."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return None
    file = _lock_file(path)
    while True:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise SciMindError(f"{path} cannot be written ({error.strerror}); {advice}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(os.read(descriptor, _LONGEST_NOTE))
            os.close(descriptor)
            raise SciMindError(f"{path} is being written by another run{holder}; wait for it, or {advice}") from error
        except OSError:  # the file system does not support locks
            os.close(descriptor)
            with suppress(OSError):
                file.unlink()
            return None
        if _is_at(descriptor, file):
            break
        os.close(descriptor)  # its holder removed the file between our opening and our locking it
    os.ftruncate(descriptor, 0)
    note = {"process": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):  # a full disk; the lock holds without a note
        os.write(descriptor, json.dumps(note | {"command": " ".join(sys.argv)[:_COMMAND_SHOWN]}).encode())
    return descriptor


def _is_at(descriptor: int, file: Path) -> bool:
    """Returns whether an open file is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _holder(note: bytes) -> str:
    """Returns who holds a lock, in brackets; empty if the note is not readable."""
    try:
        values = json.loads(note)
        return f" (process {int(values['process'])} on {values['host']}, since {values['since']}: {values['command']})"
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
