"""Whether a training's loss diverges."""

from __future__ import annotations

from collections import deque

import numpy as np

_WINDOW = 10  # steps
_RISE = 1.25
_LEAST_RISE = 0.5  # nats
_SPREADS = 4.0


class LossWatch:
    """Warns once if the loss rises and stays up.

    It compares the median of the last steps with the lowest median of as many steps before them. A single bad batch
    does not move a median; the ordinary differences between batches are allowed for by the spread of those steps.
    """

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._medians: deque[tuple[float, float, int]] = deque(maxlen=_WINDOW)  # that have ended most recently
        self._lowest: tuple[float, float, int] | None = None  # median, spread and step of the window before them
        self._is_done = False

    def add(self, step: int, loss: float) -> str | None:
        """Returns a warning, None if there is nothing to warn of.

        Args:
            step: The step.
            loss: Its loss in nats; one that is not finite ends the training anyway and is left out.
        """
        if self._is_done or not np.isfinite(loss):
            return None
        self._last.append(loss)
        if len(self._last) < _WINDOW:
            return None
        median = float(np.median(self._last))
        spread = float(np.median(np.abs(np.array(self._last) - median)))
        if len(self._medians) == _WINDOW and (self._lowest is None or self._medians[0] < self._lowest):
            self._lowest = self._medians[0]
        self._medians.append((median, spread, step))
        if self._lowest is None:
            return None
        lowest, usual, at = self._lowest
        if median <= max(lowest * _RISE, lowest + _LEAST_RISE, lowest + _SPREADS * max(usual, spread)):
            return None
        self._is_done = True
        return (
            f"step {step}: the loss has risen from {lowest:.2f} around step {at} to {median:.2f}; lower "
            "lr_schedule.learning_rate or lengthen lr_schedule.warmup_steps, and start again or from a checkpoint "
            "before that step"
        )
