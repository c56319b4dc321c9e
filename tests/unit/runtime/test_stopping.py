"""Signals: which exception they raise, who sees them, and what is restored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from scimind.runtime.stopping import SIGNALS, Stopped, stops_on_signals


def later(number: int, seconds: float = 0.2) -> None:
    threading.Timer(seconds, os.kill, (os.getpid(), number)).start()


@pytest.mark.parametrize("number", SIGNALS[1:])
def test_a_signal_ends_what_the_main_thread_waits_for(number: int) -> None:
    before = [signal.getsignal(other) for other in SIGNALS]
    start = time.monotonic()
    with pytest.raises(Stopped) as caught, stops_on_signals() as stopping:
        later(number)
        time.sleep(20)
    assert caught.value.number == stopping.first == number
    assert time.monotonic() - start < 10
    assert [signal.getsignal(other) for other in SIGNALS] == before
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_ends_what_the_main_thread_waits_for() -> None:
    """In a process with only our threads: a signal that another thread gets does not end what this one waits for."""
    code = """
import os, sys, threading, signal
from scimind.runtime.stopping import Stopped, stops_on_signals
try:
    with stops_on_signals():
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        os.read(os.pipe()[0], 1)
except Stopped as stop:
    sys.exit(128 + stop.number)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 130


def test_a_handler_set_in_the_meantime_gets_ctrl_c() -> None:
    seen: list[int] = []
    with stops_on_signals():
        before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_other_handlers_in_c_do_not_see_ctrl_c() -> None:
    """As MindSpore's: a handler set without Python's knowledge, here the default one, which ends the process."""
    code = """
import ctypes, os, signal, sys, time
from scimind.runtime.stopping import Stopped, stops_on_signals
def body():
    ctypes.CDLL(None).signal(signal.SIGINT, None)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
if sys.argv[1] == "guarded":
    try:
        with stops_on_signals():
            body()
    except Stopped as stop:
        sys.exit(128 + stop.number)
body()
"""
    statuses = [subprocess.run([sys.executable, "-c", code, how]).returncode for how in ("guarded", "bare")]
    assert statuses == [130, -signal.SIGINT]


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stops_on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_may_run_a_command() -> None:
    found: list[object] = []

    def body() -> None:
        with stops_on_signals() as stopping:
            found.append(stopping.first)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == [None]


def test_a_signal_that_was_swallowed_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scimind.runtime.stopping._SECONDS_TO_END", 0.2)
    with pytest.raises(Stopped), stops_on_signals() as stopping:
        with suppress(KeyboardInterrupt):  # as an import does
            later(signal.SIGTERM)
            time.sleep(20)
        assert stopping.first == signal.SIGTERM
        time.sleep(20)
    time.sleep(0.5)  # and not afterwards
