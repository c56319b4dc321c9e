"""Ctrl-C and kill: the first signal asks a training to stop after its step, the second stops it immediately."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from scimind.runtime.stopping import SIGNALS, Stopped, may_handle
from scimind.train.run import TrainingRun


@contextmanager
def stops_on_signals(run: TrainingRun) -> Iterator[None]:
    """Sets `run.received_signal` when the process is interrupted or asked to terminate.

    Args:
        run: The training; its callbacks check the signal after each step.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals only in the main thread
        return

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        if run.received_signal is not None:
            raise Stopped(number)
        run.received_signal = number
        run.console.interrupt("interrupted: stopping after this step, with a checkpoint; again to stop at once")

    # Outside of a command, MindSpore turns Ctrl-C into SIGTERM while it computes, which also arrives here.
    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, ask_to_stop) for number in SIGNALS if may_handle(number)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
