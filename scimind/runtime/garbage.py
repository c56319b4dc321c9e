"""Python's search for unused objects, which takes a tenth of the time of a short command if it looks at everything.

MindSpore and MindFormers consist of half a million objects. While they are imported, Python looks through them several
times, and MindSpore has it look again whenever it compiles a graph.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_OBJECTS = 50_000  # Python's own limit is 700


@contextmanager
def rare_collections() -> Iterator[None]:
    """Lets Python look for unused objects less often while the context lasts."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def spare_existing_objects() -> None:
    """Excludes all objects that exist from later searches."""
    gc.freeze()
