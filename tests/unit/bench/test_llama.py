"""The configuration that the benchmarks give to SciMind."""

from __future__ import annotations

import pytest
from llama import DENSE, SMOKE, run_config

from scimind.train.settings import read_settings


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_a_step_takes_its_batch_in_one_part(batch_size: int) -> None:
    """The nano model's configuration sets a global batch, which would split smaller batches and refuse larger ones."""
    settings = read_settings(run_config(SMOKE, DENSE, batch_size), is_training=False, needs_data=False)
    assert (settings.batch_size, settings.accumulation_steps) == (batch_size, 1)
