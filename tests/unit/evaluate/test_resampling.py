from __future__ import annotations

import numpy as np
import pytest

from scimind.evaluate.resampling import Resampling, Statistic, estimate, mean_of, ratio
from tests.support.tolerances import EXACT_SUM


def test_an_interval_is_that_of_a_plain_bootstrap():
    values = np.random.default_rng(1).normal(size=400)
    score = estimate({"mean": mean_of(values)}, Resampling(samples=4000, seed=5))["mean"]
    assert score.value == pytest.approx(values.mean(), abs=EXACT_SUM)
    # The mean's own distribution: 1.96 standard errors, within a tenth.
    error = values.std() / 20
    assert score.high - score.value == pytest.approx(1.96 * error, rel=0.1)
    assert score.value - score.low == pytest.approx(1.96 * error, rel=0.1)


def test_the_seed_decides():
    values = mean_of(np.arange(30.0))
    first, again, other = (estimate({"m": values}, Resampling(100, 0.9, seed))["m"] for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert estimate({"m": values}, Resampling(samples=0))["m"].low is None


def test_a_mean_over_nothing_is_undefined():
    scores = estimate({"none": mean_of([1.0, 2.0], [0, 0]), "one": mean_of([1.0, 3.0], [0, 1])}, Resampling(50))
    assert scores["none"].value is None
    assert (scores["one"].value, scores["one"].low) == (3.0, 3.0)


def test_a_ratio_keeps_its_pairs():
    columns = np.array([[1.0, 2.0], [2.0, 4.0], [5.0, 10.0]])
    score = estimate({"half": Statistic(columns, ratio)}, Resampling(200))["half"]
    assert (score.low, score.value, score.high) == (0.5, 0.5, 0.5)
