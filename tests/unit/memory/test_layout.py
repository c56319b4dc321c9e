"""The layers of each stage of a pipeline."""

from __future__ import annotations

from pathlib import Path

from scimind.config import load_config
from scimind.memory.layout import Layout

PIPELINE = Path(__file__).parents[3] / "configs" / "scimind_7b_finetune.yaml"


def test_layers_that_do_not_divide_evenly() -> None:
    uneven = ["model.model_config.num_layers=34", "model.model_config.offset=[1, 0, 0, 1]"]
    assert Layout.of(load_config(PIPELINE, uneven)).layers == (9, 8, 8, 9)
    assert Layout.of(load_config(PIPELINE)).layers == (8, 8, 8, 8)
