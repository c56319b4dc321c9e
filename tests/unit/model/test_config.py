from __future__ import annotations

import json

import pytest

from scimind.errors import ConfigError
from scimind.model import SciMindConfig


def test_defaults_are_llama_2_7b():
    config = SciMindConfig()
    assert (config.hidden_size, config.num_layers, config.intermediate_size) == (4096, 32, 11008)


def test_settings_survive_json():
    config = SciMindConfig(
        num_experts=8, intermediate_size=64, router="activation", modality_ranges={"smiles": [[40, 52], [60, 62]]}
    )
    again = SciMindConfig(
        **json.loads(json.dumps({n: getattr(config, n) for n in config.routing.to_dict()})), **{"intermediate_size": 64}
    )
    assert again.routing == config.routing
    assert config.to_dict()["router"] == "activation"


@pytest.mark.parametrize("given", [{"qkv_concat": True}, {"num_experts": 3}, {"rmsnorm_compute_2d": True}])
def test_what_the_model_lacks_is_refused(given):
    with pytest.raises(ConfigError, match=next(iter(given))):
        SciMindConfig(**given)
