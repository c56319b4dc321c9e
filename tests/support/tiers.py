"""Tiers of tests, as markers that follow from the path of a test: its kind, and whether it is slow.

`-m "unit and not slow"` selects by marker. `--fast` skips slow files before they are imported, since just importing
MindSpore and MindFormers takes seconds. `--cov-skips-slow` keeps coverage from slowing down what is slow already:
before Python 3.12, counting lines slows all of Python down, MindSpore's compiler included.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

# The folders of tests, and the markers of their tests.
KINDS = ("unit", "integration", "parity", "parallel", "docs", "hostile")

# Files that need Chromium.
BROWSER = ("unit/evaluate/report/test_browser.py",)

# Folders and files that compile networks, train, start many processes, or take more than ten seconds for other reasons.
SLOW = (
    "docs",
    "hostile/test_readers.py",
    "integration",
    "parallel",
    "parity/test_conversion.py",
    "parity/test_converted_llamas.py",
    "parity/test_gradients.py",
    "parity/test_original_outputs.py",
    "unit/bench",
    "unit/data/prepare/test_prepare_workers.py",
    "unit/evaluate/metrics/test_golden.py",
    "unit/evaluate/report/test_browser.py",
    "unit/experts",
    "unit/generate",
    "unit/model",
    "unit/runtime/test_graph_cache.py",
    "unit/train/test_optimizer.py",
    "unit/train/test_step.py",
)

# Of these, what neither imports MindSpore nor takes long.
FAST = (
    "unit/generate/search",
    "unit/generate/test_in_memory.py",
    "unit/generate/test_row_collector.py",
    "unit/generate/test_search_batch.py",
    "unit/generate/test_wanted_answers.py",
    "unit/generate/validity",
    "unit/generate/wishes",
)


def markers_of(path: Path) -> tuple[str, ...]:
    """Returns the markers of the tests in a file, in no particular order.

    Args:
        path: The file, or a folder of tests.
    """
    if not path.is_relative_to(TESTS):
        return ()
    place = path.relative_to(TESTS)
    kind = place.parts[:1] if place.parts and place.parts[0] in KINDS else ()
    found = [name for name, places in (("browser", BROWSER), ("slow", SLOW)) if _is_in(place, places)]
    return (*kind, *(name for name in found if name != "slow" or not _is_in(place, FAST)))


def _is_in(place: Path, places: tuple[str, ...]) -> bool:
    return any(place.is_relative_to(other) for other in places)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out slow tests, see tests/support/tiers.py")
    parser.addoption("--cov-skips-slow", action="store_true", help="count no lines while slow tests run")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("fast") or "slow" not in markers_of(collection_path):
        return None
    return None if any((TESTS / place).is_relative_to(collection_path) for place in FAST) else True


def pytest_itemcollected(item: pytest.Item) -> None:
    markers = markers_of(item.path)
    for name in markers:
        item.add_marker(name)
    if "slow" in markers and item.config.getoption("cov_skips_slow"):
        item.add_marker("no_cover")  # a marker of pytest-cov
