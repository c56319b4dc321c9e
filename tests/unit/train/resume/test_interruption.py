"""Trainings and jobs under nohup, or in a shell's background, outlive their terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import pytest

from scimind.launch.job import _Interruption
from scimind.train.resume.interruption import stops_on_signals


def console() -> Any:
    return SimpleNamespace(received_signal=None, console=SimpleNamespace(interrupt=lambda text: None))


@pytest.fixture
def ignored() -> Iterator[None]:
    """SIGHUP is ignored, as by nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("context", [stops_on_signals(console()), _Interruption()])
def test_an_ignored_signal_stays_ignored(ignored: None, context: AbstractContextManager[Any]) -> None:
    with context:
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_the_first_signal_is_noted() -> None:
    run = console()
    with stops_on_signals(run):
        os.kill(os.getpid(), signal.SIGHUP)
    assert run.received_signal == signal.SIGHUP
