"""Two sides measured in turns: whether they compute the same, how long each takes, and the ratio of their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from worker import Side, Worker

# MindSpore tries two ways of scheduling in its first five calls.
WARM_UP = 6
REPEATS = 7
# Seconds before each run: threads of the side that has just worked spin for a while before they sleep.
_PAUSE = 0.2
# Both sides use float32, but different kernels and orders of summation, over six layers and three steps.
TOLERANCE = 1e-4


class Mismatch(Exception):
    """The two sides do not compute the same, so that comparing their times is meaningless."""


@dataclass(frozen=True)
class Pair:
    """Two sides to measure.

    Args:
        work: The work, for the table.
        ours: Our side.
        theirs: The side to compare with.
        at_least: The required ratio of times; None without a requirement.
        memory_at_least: The required ratio of peak memories; None leaves memory out of the table.
        extra_memory_at_least: The same for the memory that the work adds to a process that is ready for it.
        checked: The sides that must compute the same, if they are not the timed ones: a routed model is timed against a
            dense one, but checked against a routed one.
        details: Sizes, for the record.
    """

    work: str
    ours: Side
    theirs: Side
    at_least: float | None = None
    memory_at_least: float | None = None
    extra_memory_at_least: float | None = None
    checked: tuple[Side, Side] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """The measurements of a pair.

    Args:
        pair: The pair.
        difference: The largest relative difference between the checked outputs.
        ours: Seconds of each of our runs.
        theirs: Seconds of each of their runs, each right before or after our run with the same index.
        peaks: Bytes of peak memory, ours and theirs.
        extras: Bytes by which the peak exceeds the memory before the first run, ours and theirs.
        idle: Cores that the waiting process kept busy meanwhile, ours and theirs.
        in_a_row: Median seconds of runs without turns, ours and theirs; None if not requested.
        facts: Versions and threads, ours and theirs.
    """

    pair: Pair
    difference: float
    ours: list[float]
    theirs: list[float]
    peaks: tuple[int, int]
    extras: tuple[int, int]
    idle: tuple[float, float]
    in_a_row: tuple[float, float] | None
    facts: tuple[dict[str, str], dict[str, str]]

    @property
    def ratios(self) -> list[float]:
        """Their time divided by ours, turn by turn."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)


@dataclass(frozen=True)
class Measuring:
    """How pairs are measured.

    Args:
        log: Receives the output of the sides.
        say: Called with lines about the progress.
        repeats: Number of timed runs of each side.
        warm_up: Number of untimed runs of each side before them.
        in_a_row: Whether each side is also timed without turns.
    """

    log: Path
    say: Callable[[str], None]
    repeats: int = REPEATS
    warm_up: int = WARM_UP
    in_a_row: bool = False


def measure(pair: Pair, how: Measuring) -> Measured:
    """Checks a pair and measures it.

    Raises:
        Mismatch: The sides do not compute the same.
    """
    difference = 0.0
    first, second = pair.checked or (pair.ours, pair.theirs)
    how.say(f"{pair.work}: {pair.ours.name} against {pair.theirs.name}")
    if pair.checked:
        with Worker(first, how.log) as ours, Worker(second, how.log) as theirs:
            difference = check(ours.outputs(), theirs.outputs())
    with Worker(pair.ours, how.log) as ours, Worker(pair.theirs, how.log) as theirs:
        if not pair.checked:
            difference = check(ours.outputs(), theirs.outputs())
        how.say(f"  {first.name} and {second.name} agree (largest difference {difference:.1g})")
        for worker in (ours, theirs):
            for _ in range(how.warm_up):
                worker.seconds()
        seconds, idle = _by_turns(ours, theirs, how)
        medians = None
        if how.in_a_row:
            rows = [[worker.seconds() for _ in range(how.repeats + 1)][1:] for worker in (ours, theirs)]
            medians = median(rows[0]), median(rows[1])
        peaks = ours.peak_bytes(), theirs.peak_bytes()
        extras = ours.extra_bytes(), theirs.extra_bytes()
        return Measured(pair, difference, *seconds, peaks, extras, idle, medians, (ours.facts, theirs.facts))


def _by_turns(
    ours: Worker, theirs: Worker, how: Measuring
) -> tuple[tuple[list[float], list[float]], tuple[float, float]]:
    """Returns the seconds of each run of both sides, and the cores that each kept busy while the other ran."""
    workers = ours, theirs
    seconds: tuple[list[float], list[float]] = ([], [])
    busy = [0.0, 0.0]
    for turn in range(how.repeats):
        for index in (0, 1) if turn % 2 == 0 else (1, 0):  # the order alternates, since the machine drifts
            time.sleep(_PAUSE)
            before = workers[1 - index].processor_seconds()
            seconds[index].append(workers[index].seconds())
            busy[1 - index] += workers[1 - index].processor_seconds() - before
        how.say(f"  {seconds[0][-1]:.4g} s, {seconds[1][-1]:.4g} s")
    return seconds, (busy[0] / sum(seconds[1]), busy[1] / sum(seconds[0]))


def check(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], tolerance: float = TOLERANCE) -> float:
    """Returns the largest difference between two sides' outputs, relative to the largest value of an array.

    Args:
        ours: Arrays by name; integers must be equal.
        theirs: The same.
        tolerance: The largest difference that float arrays may have.

    Raises:
        Mismatch: A name, a shape, an integer or a number differs; the largest differences are named.
    """
    if ours.keys() != theirs.keys():
        raise Mismatch(f"the names of the sides' outputs differ: {sorted(ours.keys() ^ theirs.keys())[:5]}")
    differences = {name: _difference(ours[name], theirs[name]) for name in ours}
    wrong = [name for name, found in differences.items() if not found <= tolerance]  # a NaN is wrong too
    if wrong:
        worst = sorted(wrong, key=lambda name: -np.nan_to_num(differences[name], nan=np.inf))[:3]
        raise Mismatch(
            f"{len(wrong)} of {len(differences)} outputs differ by more than {tolerance:g}: "
            + ", ".join(f"{name} by {differences[name]:.2g}" for name in worst)
        )
    return max(differences.values())


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Returns the largest difference relative to the largest value; infinity if shapes or integers differ."""
    if ours.shape != theirs.shape:
        return float("inf")
    if ours.dtype.kind in "iub":
        return 0.0 if np.array_equal(ours, theirs) else float("inf")
    scale = float(np.abs(theirs).max()) or 1.0
    return float(np.abs(ours.astype(np.float64) - theirs).max() / scale)
