"""The first training step of a process, in which MindSpore compiles the graph, and that of a second process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator

from llama import ROUTED, SIZES, SMOKE
from pairs import Measuring, Mismatch
from report import Row
from training import BATCH_SIZE, SciMindTraining
from worker import Side, Worker

_AT_MOST = (10.0, 4.0)
_NAMES = ("first training step, routed, in a new process", "the same in a second process")


def rows(how: Measuring, *, smoke: bool) -> Iterator[Row]:
    """Yields the seconds of the first step, including compilation, in one process and in the next.

    Raises:
        Mismatch: The second process computes a different loss.
    """
    sizes, batch_size = (SMOKE, 2) if smoke else (SIZES, BATCH_SIZE)
    with tempfile.TemporaryDirectory(prefix="scimind-bench-") as folder:
        arguments = {"sizes": sizes, "batch_size": batch_size, "routing": ROUTED, "cache_dir": folder}
        side = Side("SciMind, routed", SciMindTraining, arguments)
        losses = []
        for name, at_most in zip(_NAMES, _AT_MOST, strict=True):
            how.say(name)
            start = time.perf_counter()
            with Worker(side, how.log) as worker:
                first = worker.seconds()
                whole = time.perf_counter() - start
                losses.append(worker.outputs()["losses"][0])
                if losses[0] != losses[-1]:
                    raise Mismatch(f"{name}: the loss is {losses[-1]}, but was {losses[0]} in the first process")
                yield Row(
                    work=name,
                    ours=f"{side.name}: {first:.1f} s",
                    asked=f"at most {at_most:g} s",
                    is_met=first <= at_most,
                    record={"seconds": first, "seconds_from_start_of_process": whole, "facts": [worker.facts]},
                )
