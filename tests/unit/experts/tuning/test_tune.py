"""The settings of a tuning."""

from __future__ import annotations

import pytest

from scimind.errors import ConfigError
from scimind.experts.tuning.tune import TuneSettings


def test_every_fault_of_the_settings_is_reported():
    with pytest.raises(ConfigError) as caught:
        TuneSettings(steps=0, batch_size=0, learning_rate=0.0, load_balance=-1.0)
    assert [fault.split()[0] for fault in caught.value.faults] == [
        "--steps",
        "--batch-size",
        "--learning-rate",
        "--load-balance",
    ]
