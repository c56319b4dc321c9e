"""Ctrl-C, SIGTERM and SIGHUP: one way of stopping for all commands.

Each of them raises `Stopped` in the main thread. Two things get in the way of Ctrl-C (SIGINT). MindSpore, once it has
computed, turns it into SIGTERM. And an exception inside an import of a C++ module becomes an ImportError. So SIGINT is
blocked, which hides it from MindSpore, and a thread waits for it and passes it on; and whatever a command raises after
a signal counts as the signal, see `scimind.cli.exit_status`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_END = 5.0
_WAKE = signal.SIGURG  # ignored unless there is a handler, and not used by MindSpore


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")


class Stopping:
    """The signals that have asked the process to end.

    Attributes:
        first: The first one; None if there was none.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self.ended = threading.Event()

    def stop(self, number: int, frame: FrameType | None = None) -> None:
        """Notes a signal, and raises `Stopped`."""
        if self.first is None:
            self.first = number
            threading.Thread(target=self._insist, args=(number,), name="insists on the end", daemon=True).start()
        raise Stopped(number)

    def _insist(self, number: int) -> None:
        """Repeats the signal until the command has ended: imports and callbacks from C++ swallow exceptions."""
        while not self.ended.wait(_SECONDS_TO_END):
            os.kill(os.getpid(), number)


_active: Stopping | None = None


@contextmanager
def stops_on_signals() -> Iterator[Stopping]:
    """Lets signals raise `Stopped` in the main thread; does nothing in other threads, which Python sends no signals.

    A handler that is set in the meantime is respected, for SIGINT too.
    """
    global _active
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, stopping.stop) for number in SIGNALS if may_handle(number)}
    outer, _active = _active, stopping
    try:
        with _interrupts_passed_on():
            yield stopping
    finally:
        stopping.ended.set()
        _active = outer
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def was_stopped() -> bool:
    """Returns whether a signal has asked the running command to end, so that later exceptions are its consequence."""
    return _active is not None and _active.first is not None


def may_handle(number: int) -> bool:
    """Returns whether a signal may be handled: `nohup` ignores SIGHUP for good, a background job SIGINT."""
    return signal.getsignal(number) != signal.SIG_IGN


@contextmanager
def _interrupts_passed_on() -> Iterator[None]:
    """Hides SIGINT from everything but a thread, which calls Python's handler of SIGINT in the main thread."""
    if not may_handle(signal.SIGINT):
        yield
        return
    main, done, pending = threading.get_ident(), threading.Event(), list[int]()

    def wait() -> None:
        while not (signal.sigwait([signal.SIGINT]) and done.is_set()):
            pending.append(signal.SIGINT)
            signal.pthread_kill(main, _WAKE)  # a real signal also ends a system call that blocks

    def handle(_: int, frame: FrameType | None) -> None:
        if pending:
            number = pending.pop()
            handler = signal.getsignal(number)
            if callable(handler):
                handler(number, frame)

    before = signal.signal(_WAKE, handle)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    waiter = threading.Thread(target=wait, name="waits for Ctrl-C", daemon=True)
    waiter.start()
    try:
        yield
    finally:
        done.set()
        with suppress(ProcessLookupError):
            signal.pthread_kill(waiter.ident or 0, signal.SIGINT)
        waiter.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(_WAKE, before if before is not None else signal.SIG_DFL)
