"""Runs a command or a reader in this process and judges how it ended.

What is right: exit status 0 or 3, or status 2 with one line on standard error. A traceback, more than `MOST_SECONDS` of
processor time or more than `MOST_MEMORY` is a fault, whatever the input. MindSpore is never imported: a command that
gets so far has accepted its input.

The time limit is an exception, which Python cannot raise while a library of another language computes, nor while a
process waits without computing; see `tests.hostile.fuzzing.Fuzzer.apart` for these.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from scimind.cli import main
from scimind.errors import SciMindError

MOST_SECONDS = 10.0
MOST_MEMORY = 1 << 30
_MOST_ADDRESSES = 6 << 30  # a backstop that keeps a fault from filling the machine
_LONGEST_LINE = 20_000
_USAGE = ("usage: ", " ")  # argparse prints these lines before its error

READ, REFUSED, REACHED = "read", "refused", "reached MindSpore"


class MindSporeReached(BaseException):
    """MindSpore was about to be imported."""


class TooSlow(BaseException):
    """The time ran out."""


class Fault(AssertionError):
    """An ending that is not right."""


class _NoMindSpore:
    """Refuses to import MindSpore, before Python looks for it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] in ("mindspore", "mindformers"):
            raise MindSporeReached(name)


class Judge:
    """Runs what may fail with standard output and standard error going to files; a process needs only one."""

    def __init__(self) -> None:
        self.real = os.fdopen(os.dup(1), "w", buffering=1)
        faulthandler.enable(self.real)  # a crash in a library of another language
        self._streams = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        sys.stdout.flush()
        sys.stderr.flush()
        for number, stream in enumerate(self._streams, start=1):
            os.dup2(stream.fileno(), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # As in a terminal with UTF-8: half a surrogate pair cannot be printed.
        sys.stdout = open(1, "w", encoding="utf-8", errors="strict", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, _MOST_ADDRESSES))
        sys.meta_path.insert(0, _NoMindSpore())  # type: ignore[arg-type]
        signal.signal(signal.SIGPROF, _time_is_up)

    def command(self, arguments: Sequence[str]) -> str:
        """Runs a `scimind` command; returns how it ended.

        Raises:
            Fault: It ended with another status than 0, 2 and 3, printed too much, or took too much memory or time.
            Exception: Whatever the command let through, which the user would see as a traceback.
        """

        def run() -> int:
            try:
                return main(arguments)
            except SystemExit as end:  # argparse
                return int(end.code or 0)

        status = self._measured(run)
        if status == REACHED:
            return REACHED
        errors = self._text(1)
        if status in (0, 3):
            return READ
        if status != 2:
            raise Fault(f"exit status {status}: {errors[-500:]}")
        lines = [line for line in errors.splitlines() if not line.startswith(_USAGE)]
        lines = [line for line in lines if "\r" not in line and not line.startswith("prepare: ")]  # the progress bar
        if "error: " not in (lines or [""])[-1]:
            raise Fault(f"the last line is not an error: {errors[-500:]!r}")
        if len([line for line in lines if "error: " in line]) != 1 or any(_is_traceback(line) for line in lines):
            raise Fault(f"not one line of error: {errors[-1000:]!r}")
        if len(lines[-1]) > _LONGEST_LINE:
            raise Fault(f"a line of {len(lines[-1])} characters: {lines[-1][:300]}")
        return REFUSED

    def reader(self, read: Callable[[], Any]) -> str:
        """Runs a function; returns whether it returned or raised a `SciMindError`.

        Raises:
            Fault: It took too much memory or time, or its error says nothing.
            Exception: Any other exception of the function.
        """
        try:
            result = self._measured(read)
        except SciMindError as error:
            if not str(error).strip() or len(str(error)) > _LONGEST_LINE:
                raise Fault(f"a message of {len(str(error))} characters: {str(error)[:300]}") from error
            return REFUSED
        return REACHED if result == REACHED else READ

    def _measured(self, body: Callable[[], Any]) -> Any:
        """Returns what a function returns, or `REACHED`; its output is in the files."""
        for stream in self._streams:
            stream.seek(0)
            stream.truncate()
        with _time_limit(), _memory_limit():
            try:
                return body()
            except MindSporeReached:
                return REACHED
            finally:
                sys.stdout.flush()
                sys.stderr.flush()

    def _text(self, number: int) -> str:
        self._streams[number].seek(0)
        return self._streams[number].read().decode("utf-8", "replace")


def _is_traceback(line: str) -> bool:
    return line.startswith("Traceback (most recent call last)")


def _time_is_up(number: int, frame: FrameType | None) -> None:
    raise TooSlow(f"more than {MOST_SECONDS:g} s of processor time")


@contextmanager
def _time_limit() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    except TooSlow as slow:
        raise Fault(str(slow)) from slow
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def _memory_limit() -> Iterator[None]:
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _peak()
    yield
    if _peak() - before > MOST_MEMORY:
        raise Fault(f"{(_peak() - before) >> 20} MiB of memory")


def _peak() -> int:
    """Returns the largest size of this process since its peak was reset, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
