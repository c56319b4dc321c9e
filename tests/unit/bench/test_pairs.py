"""Pairs are compared before they are timed, run in turns in separate processes, and a side's fault is reported."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from pairs import Measured, Measuring, Mismatch, Pair, check, measure
from report import Cost, markdown, pair_rows, write
from worker import Side, Work, Worker


class Sleeper(Work):
    """Work that takes a known time."""

    def __init__(self, seconds: float, value: float = 1.0) -> None:
        self.seconds, self.value = seconds, value

    def outputs(self) -> dict[str, np.ndarray]:
        return {"value": np.array([self.value, 2.0]), "ids": np.array([3, 4])}

    def run(self) -> None:
        if self.seconds < 0:
            raise ValueError("no such time")
        time.sleep(self.seconds)

    def facts(self) -> dict[str, str]:
        return {"Sleeper": "1"}


def how(folder: Path) -> Measuring:
    return Measuring(folder / "log", say=lambda text: None, repeats=3, warm_up=1, in_a_row=True)


def measured(folder: Path) -> Measured:
    pair = Pair("sleep", Side("short", Sleeper, {"seconds": 0.02}), Side("long", Sleeper, {"seconds": 0.06}), 2.0)
    return measure(pair, how(folder))


def test_ratio_is_their_time_divided_by_ours(tmp_path: Path) -> None:
    found = measured(tmp_path)
    assert len(found.ours) == len(found.theirs) == len(found.ratios) == 3
    assert 2 < found.ratio < 4
    assert found.in_a_row is not None
    assert found.in_a_row[0] < found.in_a_row[1]
    assert min(found.peaks) > 1 << 20
    assert max(found.idle) < 0.5


def test_sides_that_differ_are_not_timed(tmp_path: Path) -> None:
    same = Side("same", Sleeper, {"seconds": -1})
    other = Side("other", Sleeper, {"seconds": -1, "value": 1.001})
    with pytest.raises(Mismatch, match="1 of 2 outputs differ by more than 0.0001: value by 0.0005"):
        measure(Pair("sleep", same, other), how(tmp_path))


def test_checked_sides_may_be_others_than_timed_ones(tmp_path: Path) -> None:
    timed = Side("timed", Sleeper, {"seconds": 0.0})
    other = Side("other", Sleeper, {"seconds": 0.0, "value": 5.0})
    measure(Pair("sleep", timed, other, checked=(timed, timed)), how(tmp_path))
    with pytest.raises(Mismatch):
        measure(Pair("sleep", timed, timed, checked=(timed, other)), how(tmp_path))


def test_fault_of_a_side_is_reported(tmp_path: Path) -> None:
    with (
        Worker(Side("broken", Sleeper, {"seconds": -1}), tmp_path / "log") as worker,
        pytest.raises(RuntimeError, match="broken: (?s:.*)no such time"),
    ):
        worker.seconds()
    with (
        pytest.raises(RuntimeError, match="unexpected keyword"),
        Worker(Side("odd", Sleeper, {"x": 1}), tmp_path / "log"),
    ):
        pass


@pytest.mark.parametrize(
    "theirs",
    [
        {"value": np.array([1.0, np.nan])},
        {"value": np.array([1.0, 2.001])},
        {"value": np.array([[1.0, 2.0]])},
        {"other": np.array([1.0, 2.0])},
        {"value": np.array([1, 2])},
    ],
    ids=["nan", "number", "shape", "name", "kind"],
)
def test_check_finds_a_difference(theirs: dict[str, np.ndarray]) -> None:
    ours = {"value": np.array([1, 3]) if theirs.get("value", np.zeros(1)).dtype.kind == "i" else np.array([1.0, 2.0])}
    with pytest.raises(Mismatch):
        check(ours, theirs)


def test_check_returns_the_largest_relative_difference() -> None:
    assert check({"value": np.array([1.0, 2.0])}, {"value": np.array([1.0, 2.0])}) == 0
    assert check({"value": np.array([1.0, 2.0001])}, {"value": np.array([1.0, 2.0])}) == pytest.approx(5e-5)


def test_report_has_a_line_for_time_memory_and_cost(tmp_path: Path) -> None:
    found = measured(tmp_path)
    rows = pair_rows(found)
    assert [row.is_met for row in rows] == [True]
    pair = Pair("sleep", found.pair.ours, found.pair.theirs, 9.0, memory_at_least=0.1)
    rows += pair_rows(Measured(pair, *list(vars(found).values())[1:]))
    assert [row.is_met for row in rows] == [True, False, True]
    cost = Cost("sleep", "batch", 1024, 0.5, "tokens", 2048, 1 << 30)
    text = markdown([*rows, cost])
    assert "| sleep | short: 2" in text
    assert "at least 9, not met" in text
    assert "| sleep | batch 1,024 | 500.0 ms | 4,096 tokens | 1.00 GiB |" in text
    assert "Sleeper 1" in text
    assert all(path.stat().st_size for path in write(tmp_path / "out", [*rows, cost]))
