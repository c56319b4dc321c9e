"""Whether a training's loss diverges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_WINDOW = 20  # steps
# The least rise: as a factor, in nats, and in spreads of the losses of that many steps.
_FROM_WINDOW = 1.25, 0.5, 2.0
_FROM_FIRST = 2.0, 1.0, 4.0  # a single batch may be an easy one


class LossWatch:
    """Warns once if the loss rises and stays up.

    Three quarters of the last steps must be above the lowest median of as many steps before them, or above the first
    loss, from which a rate that is far too high leads up at once; clearly so, and by more than batches usually differ.
    """

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._medians: deque[_Window] = deque(maxlen=_WINDOW)  # of the windows that overlap the last one
        self._lowest: _Window | None = None  # of those before them
        self._first: _Window | None = None
        self._is_done = False

    def add(self, step: int, loss: float) -> str | None:
        """Returns a warning, None if there is nothing to warn of.

        Args:
            step: The step.
            loss: Its loss in nats; one that is not finite ends the training anyway and is left out.
        """
        if self._is_done or not np.isfinite(loss):
            return None
        self._first = self._first or _Window(loss, 0.0, loss, step)
        self._last.append(loss)
        if len(self._last) < _WINDOW:
            return None
        if len(self._medians) == _WINDOW:
            ended = self._medians[0]
            self._lowest = ended if self._lowest is None else min(self._lowest, ended)
        now = _Window.of(self._last, step)
        self._medians.append(now)
        if self._lowest is not None and now.is_above(self._lowest, *_FROM_WINDOW):
            lowest = self._lowest
        elif now.is_above(self._first, *_FROM_FIRST):
            lowest = self._first
        else:
            return None
        self._is_done = True
        return (
            f"step {step}: the loss has risen from {lowest.median:.2f} around step {lowest.step} to {now.median:.2f}; "
            "lower lr_schedule.learning_rate or lengthen lr_schedule.warmup_steps, and start again or from a "
            "checkpoint before the rise"
        )


class _Window(NamedTuple):
    """Median, spread (median absolute deviation) and lower quartile of some steps' losses; `step` is the last step."""

    median: float
    spread: float
    quartile: float
    step: int

    @classmethod
    def of(cls, losses: Iterable[float], step: int) -> _Window:
        """Returns the window of some losses."""
        values = np.array(list(losses))
        median = float(np.median(values))
        spread, quartile = np.median(np.abs(values - median)), np.quantile(values, 0.25)
        return cls(median, float(spread), float(quartile), step)

    def is_above(self, earlier: _Window, factor: float, nats: float, spreads: float) -> bool:
        """Whether three quarters of these losses are above those of an earlier window by all three measures."""
        spread = max(earlier.spread, self.spread)
        least = max(earlier.median * factor, earlier.median + nats, earlier.median + spreads * spread)
        return self.quartile > least
