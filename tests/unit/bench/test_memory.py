"""The estimate is for the configuration that is measured."""

from __future__ import annotations

import pytest
from llama import run_config
from memory import CASES, training_config

from scimind.memory import estimate_memory


@pytest.mark.parametrize(("name", "sizes", "batch_size", "routing"), CASES, ids=[case[0] for case in CASES])
def test_estimate_is_of_the_step_that_is_measured(name, sizes, batch_size, routing) -> None:  # type: ignore[no-untyped-def]
    estimated, measured = training_config(sizes, routing, batch_size), run_config(sizes, routing, batch_size)
    assert estimated.run_mode == "finetune"
    assert estimated.model_config == measured.model_config
    assert estimated["runner_config"] == measured["runner_config"]
    assert estimate_memory(estimated).optimizer > 0
