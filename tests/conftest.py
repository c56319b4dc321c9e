"""Settings for all tests, applied before MindSpore or MindFormers is imported, and the order in which tests run."""

from __future__ import annotations

import gc
import math
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.once import use_folder
from tests.support.warm_commands import WarmCommands

pytest_plugins = ["tests.support.tiers"]

# A shell's background job ignores Ctrl-C, and nohup SIGHUP; tests send both, also to processes that inherit this.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)
gc.disable()  # until all tests are imported
# Otherwise MindFormers creates ./output/log wherever the tests are started.
os.environ.setdefault("LOG_MF_PATH", tempfile.mkdtemp(prefix="scimind_test_log_"))
os.environ.setdefault("GLOG_v", "3")
# Tests run in parallel, and busy-waiting threads would take cores from other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Do not touch the user's cache of compiled graphs.
os.environ.setdefault("SCIMIND_CACHE_DIR", tempfile.mkdtemp(prefix="scimind_test_cache_"))
use_folder()

# Files that start first, in this order, unless an earlier run has measured them: the longest, then all other slow ones.
LONG = (
    "integration/test_readme.py",
    "integration/test_distributed.py",
    "unit/generate/decoders/test_cached_greedy.py",
    *("integration", "parallel", "parity", "unit/generate", "unit/model"),
)
SECONDS = "scimind/seconds"  # in pytest's cache: how long each test took when it last ran, including its fixtures


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # pytest-xdist's workers keep no times, but get those of earlier runs
        cache = getattr(config, "cache", None)
        config.pluginmanager.register(TestTimes(cache), "scimind-test-times")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts the longest files first, since each runs in one process, so that the other cores stay busy meanwhile."""
    if hasattr(config, "workerinput"):
        seconds = config.workerinput["seconds"]
    else:
        times = config.pluginmanager.get_plugin("scimind-test-times")
        assert isinstance(times, TestTimes)
        seconds = times.seconds
    items[:] = longest_first(items, seconds)


def longest_first(items: list[pytest.Item], seconds: Mapping[str, float]) -> list[pytest.Item]:
    """Returns tests by file: first those of files without a time, by folder, then the others, longest first."""
    from tests.support.tiers import SLOW  # here, since pytest itself must import the plugin first

    total: dict[Path, float] = {}
    for item in items:
        total[item.path] = total.get(item.path, 0.0) + seconds.get(item.nodeid, 0.0)

    def place(item: pytest.Item) -> tuple[float, float]:
        if total[item.path]:
            return -total[item.path], 0
        here = Path(__file__).parent
        ranks = [rank for rank, path in enumerate((*LONG, *SLOW)) if item.path.is_relative_to(here / path)]
        return -math.inf, ranks[0] if ranks else math.inf

    return sorted(items, key=place)


class TestTimes:
    """The durations of tests: read from pytest's cache, passed to pytest-xdist's workers, kept for the next run.

    Args:
        cache: The cache that keeps the times; None keeps none.
    """

    __test__ = False  # not a class of tests

    def __init__(self, cache: pytest.Cache | None) -> None:
        self._cache = cache
        self._measured: dict[str, float] = {}
        self.seconds: dict[str, float] = {} if cache is None else cache.get(SECONDS, {})

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        # All workers must collect in the same order, even if another run changes the cache meanwhile.
        node.workerinput["seconds"] = self.seconds

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._measured[report.nodeid] = self._measured.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if self._cache is not None and self._measured:
            self._cache.set(SECONDS, self.seconds | self._measured)


def pytest_collection_finish() -> None:
    # MindSpore collects garbage whenever it compiles. Imported objects are not garbage, and scanning them is slow.
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def warm_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmCommands]:
    with WarmCommands(tmp_path_factory.mktemp("warm")) as started:
        yield started
