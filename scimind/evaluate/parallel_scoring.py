"""Items scored in batches by several processes, with progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from scimind.errors import SciMindError
from scimind.evaluate.results import Failure
from scimind.parallel import ordered_map

Given = TypeVar("Given")
Found = TypeVar("Found")

_BATCH = 50
# Batches for which starting processes, about two seconds, pays.
_FEWEST = 4


@dataclass(frozen=True)
class _Batch:
    """What a worker gets once: the function of one item."""

    function: Callable[[Any], Any]

    def __call__(self, batch: list[Any]) -> list[Any]:
        return [self.function(entry) for entry in batch]


def score_each(
    function: Callable[[Given], Found],
    entries: Sequence[Given],
    workers: int,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Found]:
    """Returns `function` of each entry, in order.

    Args:
        function: Can be pickled; it loads what it needs by itself.
        entries: What it is given, one after the other.
        workers: Processes.
        advance: Is told how many more entries are done.
    """
    tasks = (list(entries[start : start + _BATCH]) for start in range(0, len(entries), _BATCH))
    found: list[Found] = []
    with closing(ordered_map(_Batch(function), tasks, workers, fewest=_FEWEST)) as batches:
        for batch in batches:
            found.extend(batch)
            advance(len(batch))
    return found


def attempt(
    metric: str, item: str, failures: list[Failure], function: Callable[..., Any], *arguments: Any, default: Any = 0.0
) -> Any:
    """Returns `function(*arguments)`, or `default` where it raises, with the failure added to `failures`."""
    try:
        return function(*arguments)
    except SciMindError:
        raise
    except Exception as error:  # whatever a library throws at an odd item; it is told, and the score withdrawn
        failures.append(Failure(metric, item, f"{type(error).__name__}: {error}"))
        return default
