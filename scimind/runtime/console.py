"""A quiet console: library output goes to a log file, and only what the user needs goes to the console.

MindSpore writes to the process's standard error from C++, MindFormers prints and logs from Python, and both warn. A
run is wrapped in `quiet_console`, which redirects the whole process's standard output and error to the log file and
reserves the console for the run's own lines and its progress bar.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from scimind.errors import SciMindError
from scimind.runtime import mindformers_log
from scimind.runtime.stopping import was_stopped

_TAIL_LINES = 15
_USUAL_COLUMNS = 80
_NOTEBOOK = "ipykernel.iostream"  # the module of a notebook's streams
_active: Console | None = None
_in_use = threading.Lock()


class Console:
    """The lines shown to the user; they are also copied to the log, in order with the library output.

    Args:
        stream: The stream for the lines.
        log: The log file, or None.
        silent: Shows nothing, for example on all workers but the first; the log still gets the lines.
        only_bars: Shows progress bars where they can be drawn, and no lines, as a library does.
    """

    def __init__(
        self, stream: TextIO, log: TextIO | None = None, *, silent: bool = False, only_bars: bool = False
    ) -> None:
        self._stream, self._log, self._silent, self._only_bars = stream, log, silent, only_bars
        self._bar: tqdm | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the stream is a terminal or a notebook, on which a bar can be redrawn in place."""
        return not self._silent and (self._stream.isatty() or type(self._stream).__module__ == _NOTEBOOK)

    def print(self, text: str = "") -> None:
        """Writes one line, above the progress bar if there is one."""
        if self._log is not None:
            self._log.write(f"[scimind] {text}\n")
            self._log.flush()
        if self._silent or self._only_bars:
            return
        if self._bar is not None:
            self._bar.clear()
        self._stream.write(text + "\n")
        self._stream.flush()
        if self._bar is not None:
            self._bar.refresh()

    def interrupt(self, text: str) -> None:
        """Writes one line from a signal handler without touching streams, which may be in use."""
        descriptor = None if self._silent else _descriptor(self._stream)
        if descriptor is not None:
            os.write(descriptor, f"\n{text}\n".encode())

    def progress(
        self, total: int, description: str = "", *, unit: str = "step", every: int = 10, initial: int = 0
    ) -> Progress:
        """Returns a progress display: a bar on a terminal, elsewhere a plain line every `every` units.

        Args:
            total: Total number of units.
            description: The activity.
            unit: The name of the unit.
            every: Units between two plain lines; the first and the last are always written.
            initial: Units completed by an earlier run.
        """
        return Progress(self, total, description, unit, every, initial)

    def _open_bar(self, total: int, description: str, unit: str, initial: int) -> tqdm | None:
        if not self.is_terminal:
            return None
        # tqdm's own speed and remaining time would include the compilation of the first step.
        layout = "{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {unit}s {elapsed}{postfix}"
        # Some terminals do not report their width, and tqdm would draw nothing there.
        width = {"dynamic_ncols": True} if _columns(self._stream) else {"ncols": _USUAL_COLUMNS}
        self._bar = tqdm(
            total=total, initial=initial, desc=description, unit=unit, file=self._stream, bar_format=layout, **width
        )
        return self._bar

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Progress:
    """The progress of a run; created by `Console.progress` and used as a context manager."""

    def __init__(self, console: Console, total: int, description: str, unit: str, every: int, initial: int = 0) -> None:
        self._console, self._total, self._description, self._unit = console, total, description, unit
        self._every = max(1, every)
        self._initial = self._done = initial
        self._first: tuple[float, int] | None = None
        self._bar = console._open_bar(total, description, unit, initial)

    def advance(self, units: int = 1, text: str = "", *, with_time: bool = False) -> None:
        """Advances by `units` and shows `text`, for example their result.

        Args:
            units: Number of units that were completed.
            text: Shown next to the number of units.
            with_time: Whether to show the remaining time as well, once it is known and until nothing remains.
        """
        before, self._done = self._done, self._done + units
        if with_time and (left := self._remaining()) is not None:
            text = ", ".join(filter(None, (text, f"{duration(left)} left")))
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(units)
        elif before == self._initial or self._done >= self._total or before // self._every != self._done // self._every:
            width = len(str(self._total))
            self._console.print(f"{self._description} {self._unit} {self._done:>{width}}/{self._total}  {text}".strip())

    def _remaining(self) -> float | None:
        """Returns the remaining seconds at the mean speed since the first units; None if unknown or nothing remains.

        The first units are left out because their time includes compilation.
        """
        now = time.monotonic()
        if self._first is None:
            self._first = now, self._done
        start, done = self._first
        if self._done == done or self._done >= self._total:
            return None
        return (now - start) / (self._done - done) * (self._total - self._done)

    def show(self, text: str) -> None:
        """Shows `text` next to a terminal's bar without advancing it; writes nothing elsewhere."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(0)

    def close(self) -> None:
        """Ends the bar and leaves it on the screen."""
        if self._bar is not None:
            self._console._close_bar()
            self._bar = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def notify(text: str) -> None:
    """Writes a line to the console of the running command, or to standard error outside of one."""
    if _active is None:
        print(text, file=sys.stderr)
    else:
        _active.print(text)


@contextmanager
def quiet_console(
    log_file: str | Path, *, silent: bool = False, only_bars: bool = False, on_stderr: bool = False
) -> Iterator[Console]:
    """Sends the process's standard output and error to a log file and yields the console.

    Everything is restored on exit. If a bug ends the block, the log's last lines and its path are shown; a
    `SciMindError` or an interruption is reported by itself. Inside another quiet console, the outer one is used.

    Args:
        log_file: The log, created with its folder; an existing log is appended to.
        silent: Leaves the console empty too, for example on all workers but the first.
        only_bars: Shows only progress bars, see `Console`.
        on_stderr: Whether the console is standard error, so that standard output holds nothing but results.

    Yields:
        The console.

    Raises:
        SciMindError: The log cannot be written.
    """
    global _active
    with _in_use:
        outer = _active
    if outer is not None:
        yield outer
        return
    path = Path(log_file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = open(path, "a", buffering=1, encoding="utf-8", errors="replace")  # noqa: SIM115  # closed below
    except OSError as error:
        raise SciMindError(f"{path}: cannot be written ({error.strerror}); choose another output_dir") from error
    mindformers_log.use_folder(path.parent / "mindformers")
    redirection = _Redirection(log, on_stderr=on_stderr)
    console = Console(redirection.console_stream, log, silent=silent, only_bars=only_bars)
    _active = console
    failed = True
    try:
        yield console
        failed = False
    except (SciMindError, KeyboardInterrupt, SystemExit, GeneratorExit):
        failed = False
        raise
    except Exception:
        failed = not was_stopped()
        raise
    finally:
        console._close_bar()
        _active = None
        redirection.undo()
        log.close()
        if failed and not silent:
            _show_tail(path)


@contextmanager
def kept_stdout() -> Iterator[TextIO]:
    """Yields standard output, for results that are written while a quiet console redirects it."""
    if _descriptor(sys.stdout) != 1:  # in a notebook or a test
        yield sys.stdout
        return
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace") as stream:
        yield stream


class _Redirection:
    """Redirects the process's file descriptors 1 and 2 and Python's streams to a log until `undo`."""

    def __init__(self, log: TextIO, *, on_stderr: bool = False) -> None:
        self._stdout, self._stderr = sys.stdout, sys.stderr
        self._flush()
        self._kept = {number: _duplicate(number) for number in (1, 2)}
        stream, number = (self._stderr, 2) if on_stderr else (self._stdout, 1)
        # In a notebook or a test, standard output is a separate object that does not write to descriptor 1.
        own = self._kept[number] is None or _descriptor(stream) != number
        self.console_stream: TextIO = (
            stream if own else os.fdopen(os.dup(self._kept[number] or number), "w", encoding="utf-8", errors="replace")
        )
        self._opened_stream = not own
        for number, kept in self._kept.items():
            if kept is not None:
                os.dup2(log.fileno(), number)
        sys.stdout = sys.stderr = log

    def undo(self) -> None:
        """Restores everything."""
        self._flush()
        sys.stdout, sys.stderr = self._stdout, self._stderr
        for number, kept in self._kept.items():
            if kept is not None:
                os.dup2(kept, number)
                os.close(kept)
        if self._opened_stream:
            self.console_stream.close()

    @staticmethod
    def _flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError, OSError, AttributeError):
                stream.flush()


def duration(seconds: float) -> str:
    """Returns a duration in readable form: 42 s, 3:05, 2:10:00."""
    if not math.isfinite(seconds):
        return "?"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _duplicate(number: int) -> int | None:
    """Returns a copy of a file descriptor, or None if it is not open."""
    try:
        return os.dup(number)
    except OSError:
        return None


def _descriptor(stream: Any) -> int | None:
    """Returns a stream's file descriptor, or None if it has none."""
    try:
        return int(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _columns(stream: TextIO) -> int:
    """Returns the width of a terminal, or 0 if unknown."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return 0


def _show_tail(path: Path) -> None:
    """Writes the last lines of a log and its path to standard error."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
    sys.stderr.write("".join(f"  | {line[:300]}\n" for line in lines) + f"The run failed; the full log is in {path}\n")
    sys.stderr.flush()
