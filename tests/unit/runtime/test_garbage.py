"""Garbage is still collected, but not among what was imported."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from scimind.cli.exit_status import guarded
from scimind.runtime.garbage import spare_existing_objects


class Node:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def before() -> Iterator[int]:
    """The number of spared objects before the test, and afterwards."""
    spared = gc.get_freeze_count()
    yield spared
    gc.unfreeze()
    gc.freeze()  # as tests/conftest.py leaves it


def test_commands_collect_less_often() -> None:
    usual = gc.get_threshold()
    found = []

    def body() -> int:
        found.append(gc.get_threshold())
        raise KeyboardInterrupt

    assert guarded("scimind", body) == 130
    assert found[0][0] > 10 * 700 and found[0][1:] == usual[1:]
    assert gc.get_threshold() == usual


def test_only_later_objects_are_collected(before: int) -> None:
    early = weakref.ref(Node())
    spare_existing_objects()
    late = weakref.ref(Node())
    gc.collect()
    assert early() is not None and late() is None
    assert gc.get_freeze_count() > before
