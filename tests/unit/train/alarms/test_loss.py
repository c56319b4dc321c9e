"""When a training warns of its loss: real losses of the nano model on the shipped sample, and made ones.

`curves` holds the losses of scimind_nano_finetune on the sample: as shipped (healthy), with ten times its learning
rate (high_rate: worse, but it falls), and with 333 times its learning rate (diverging).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from scimind.train.alarms.loss import LossWatch

CURVES = Path(__file__).with_name("curves")


def warnings_of(losses: Iterable[float]) -> dict[int, str]:
    """Returns the warnings by step."""
    watch = LossWatch()
    found = {step: watch.add(step, loss) for step, loss in enumerate(losses, start=1)}
    return {step: warning for step, warning in found.items() if warning is not None}


def read_curve(name: str) -> list[float]:
    with open(CURVES / f"{name}.csv", newline="", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", ["healthy", "high_rate"])
def test_a_loss_that_falls_is_not_warned_of(name: str) -> None:
    losses = read_curve(name)
    assert len(losses) == 150 and warnings_of(losses) == {}


def test_a_loss_that_diverges_from_the_start_is_warned_of_within_its_first_steps() -> None:
    (step, warning), *others = warnings_of(read_curve("diverging")).items()
    assert step <= 25 and not others
    assert "the loss has risen from 7.66 around step 1 to" in warning
    assert "lower lr_schedule.learning_rate" in warning


def test_a_loss_that_rises_later_is_warned_of_once() -> None:
    falls = read_curve("healthy")
    rises = [falls[-1] + 0.1 * number for number in range(60)]
    (step, warning), *others = warnings_of([*falls, *rises]).items()
    assert len(falls) < step <= len(falls) + 40 and not others
    assert "start again or from a checkpoint before the rise" in warning


def test_single_bad_batches_are_not_warned_of() -> None:
    losses = read_curve("healthy")
    losses[60::9] = [30.0] * len(losses[60::9])
    assert warnings_of(losses) == {}


@pytest.mark.parametrize("level", [0.05, 0.5, 2.0])
def test_the_noise_of_small_batches_is_not_warned_of(level: float) -> None:
    random = np.random.default_rng(0)
    for seed in range(20):
        noise = random.gamma(2.0 + seed % 3, level / 2.0, 400)  # a loss that has stopped falling, in uneven batches
        assert warnings_of(noise) == {}


def test_a_loss_that_is_no_number_is_left_to_the_end_of_the_run() -> None:
    assert warnings_of([*read_curve("healthy"), *[float("nan")] * 30]) == {}
