from __future__ import annotations

import pytest

from scimind.config.routing import RoutingSettings, runs
from scimind.errors import ConfigError

RANGES = {"smiles": [40, 52], "nucleotide": [52, 55], "protein": [55, 62]}


def test_defaults_are_disjoint_halves_and_the_originals_14_and_2():
    settings = RoutingSettings.create()
    assert settings.expert_sets["text"] == tuple(range(8))
    assert settings.expert_sets["smiles"] == settings.expert_sets["protein"] == tuple(range(8, 16))
    assert settings.experts_per_token == {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2}
    assert RoutingSettings.create(num_experts=1).expert_sets == dict.fromkeys(
        ("text", "smiles", "nucleotide", "protein"), (0,)
    )


def test_survives_a_round_trip():
    settings = RoutingSettings.create(
        router="activation", shared_experts={"text": [10, "12..14"]}, modality_ranges=RANGES, vocab_size=64
    )
    assert settings.shared_experts["text"] == (10, 12, 13, 14)
    assert RoutingSettings.create(**settings.to_dict()) == settings


def test_counts_active_experts():
    settings = RoutingSettings.create(router="activation", shared_experts={"smiles": ["0..13"]})
    assert settings.active_experts("text") == 14
    assert settings.active_experts("smiles") == 16
    assert RoutingSettings.create(expert_sets={"text": [1, 2, 3]}).active_experts("text") == 3


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"router": "modalty"}, "router ('modalty') must be one of"),
        ({"experts_per_token": {"text": 17}}, "experts_per_token.text (17) must be in 0 … num_experts (16)"),
        ({"experts_per_token": {"smile": 2}}, "'smile'"),
        ({"expert_sets": {"text": [0, 16]}}, "expert_sets.text names expert 16; experts must be in 0 … 15"),
        ({"expert_sets": {"text": ["a"]}}, "'a'"),
        ({"expert_sets": [1, 2]}, "expert_sets ([1, 2]) must give a value for each modality"),
        ({"intermediate_size": 100}, "intermediate_size (100) must be a multiple of num_experts (16)"),
        ({"num_experts": 0}, "num_experts (0)"),
        ({"router": "learned", "balance_weight": -1}, "balance_weight (-1) must be a number, at least 0"),
        ({"router": "activation", "balance_weight": 0.1}, "balance_weight (0.1) only works with router learned"),
        ({"modality_ranges": RANGES, "vocab_size": 60}, "60"),
    ],
)
def test_faults_are_named(given, fault):
    with pytest.raises(ConfigError) as caught:
        RoutingSettings.create(**given)
    assert fault in str(caught.value)


def test_all_faults_come_at_once():
    with pytest.raises(ConfigError) as caught:
        RoutingSettings.create(router="x", score="y", expert_sets={"text": [99]})
    assert len(caught.value.faults) == 3


def test_runs():
    assert runs([5, 0, 1, 2, 7, 6]) == [(0, 3), (5, 8)]
    assert runs([]) == []
