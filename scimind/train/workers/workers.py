"""The workers that train together, and the exchange of numbers between them on the host."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scimind.errors import SciMindError


class Workers:
    """The workers of a data-parallel training. All of them must call the same methods in the same order.

    Args:
        rank: This worker's number.
        size: Number of workers; with one, nothing is sent.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._gather_rows: Callable[[np.ndarray], np.ndarray] | None = None
        if size > 1:
            from scimind.train.workers.gathering import gather_rows

            self._gather_rows = gather_rows

    def gather(self, values: Sequence[float]) -> np.ndarray:
        """Returns the values of all workers, float64 [workers, n], bit-identical."""
        own = np.asarray(values, np.float64)
        if self._gather_rows is None:
            return own[None]
        # As pairs of int32, which every device can send unchanged.
        sent = self._gather_rows(own.view(np.int32))
        return np.ascontiguousarray(sent).view(np.float64).reshape(self.size, -1)

    def total(self, values: Sequence[float]) -> list[float]:
        """Returns the sum of each value over the workers, the same on all of them."""
        return [float(value) for value in self.gather(values).sum(axis=0)]

    def largest(self, value: float) -> float:
        """Returns the largest value of all workers."""
        return float(self.gather([value]).max())

    def wait(self) -> None:
        """Waits until all workers have reached this point."""
        self.gather([0.0])

    def check_same(self, what: str, number: int) -> None:
        """Checks that a number below 2⁵³ is the same on all workers.

        Raises:
            SciMindError: The numbers differ; raised on every worker.
        """
        given = self.gather([float(number)])[:, 0]
        others = np.flatnonzero(given != given[0])
        if len(others):
            ranks = ", ".join(str(rank) for rank in others)
            raise SciMindError(f"the workers have different {what}: rank {ranks} differs from 0; give all the same")


def weights_checksum(network: Any) -> int:
    """Returns a checksum of a network's weights that depends on every bit."""
    checksum = 0
    for parameter in sorted(network.get_parameters(), key=lambda item: item.name):
        checksum = zlib.crc32(np.ascontiguousarray(parameter.asnumpy()).tobytes(), checksum)
    return checksum
