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
# Number of batches from which starting processes, which takes about two seconds, pays off.
_FEWEST = 4


@dataclass(frozen=True)
class _Batch:
    """Applies a function to the entries of a batch; each worker receives it once."""

    function: Callable[[Any], Any]

    def __call__(self, batch: list[Any]) -> list[Any]:
        return [self.function(entry) for entry in batch]


def score_each(
    function: Callable[[Given], Found],
    entries: Sequence[Given],
    workers: int,
    advance: Callable[[int], None] = lambda count: None,
) -> list[Found]:
    """Returns the result of `function` for each entry, in order.

    Args:
        function: A picklable function, which loads what it needs itself.
        entries: Its arguments, one per call.
        workers: Number of processes.
        advance: Called with the number of newly finished entries.
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
    """Returns `function(*arguments)`; if it raises, adds the failure to `failures` and returns `default`."""
    try:
        return function(*arguments)
    except SciMindError:
        raise
    except Exception as error:  # any error of a library; it is reported and the score withdrawn
        failures.append(Failure(metric, item, f"{type(error).__name__}: {error}"))
        return default
