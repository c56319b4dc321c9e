"""Generation settings: defaults, and one error that names every fault."""

from __future__ import annotations

import dataclasses

import pytest

from scimind.config import load_config
from scimind.config.schema import Faults
from scimind.config.sections.generation import GENERATION
from scimind.errors import ConfigError
from scimind.generate.settings import GenerationSettings


def test_a_section_overrides_the_defaults_and_none_keeps_them():
    settings = GenerationSettings.from_config({"generation": {"max_new_tokens": 7, "do_sample": True, "top_p": None}})
    assert settings == GenerationSettings(max_new_tokens=7, do_sample=True)
    assert GenerationSettings.from_config({}) == GenerationSettings()


def test_the_defaults_are_those_of_the_schema():
    assert dataclasses.asdict(GenerationSettings()) == GENERATION.check({}, "", Faults(GENERATION))


def test_values_take_the_type_of_their_field():
    settings = GenerationSettings(temperature=2, do_sample=True)
    assert settings == GenerationSettings.from_config({"generation": {"temperature": "2e0", "do_sample": True}})
    assert type(settings.temperature) is float


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_new_tokens", -1),
        ("max_new_tokens", 0),
        ("max_new_tokens", 2.5),
        ("max_new_tokens", True),
        ("batch_size", 0),
        ("top_k", -1),
        ("seed", -1),
        ("temperature", 0),
        ("temperature", float("nan")),
        ("top_p", 1.1),
        ("top_p", 0.0),
        ("repetition_penalty", "much"),
        ("do_sample", 1),
    ],
)
def test_a_bad_value_is_named(name, value):
    with pytest.raises(ConfigError, match=f"generation.{name} "):
        GenerationSettings.from_config({"generation": {name: value}})


def test_all_faults_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        GenerationSettings(max_new_tokens=-5, top_p=2)
    assert caught.value.faults == ["max_new_tokens (-5) must be at least 1", "top_p (2.0) must be at most 1"]


def test_an_unknown_key_gives_the_nearest():
    with pytest.raises(
        ConfigError,
        match="run.yaml: generation.temprature is not a setting; the nearest valid one is generation.temperature$",
    ):
        GenerationSettings.from_config({"generation": {"temprature": 1}}, "run.yaml")
    with pytest.raises(ConfigError, match="must be a section"):
        GenerationSettings.from_config({"generation": 5})


def test_an_answer_has_256_tokens_or_what_the_context_has_room_for() -> None:
    assert GenerationSettings().longest_answer == 256
    assert GenerationSettings.from_config({"generation": {"max_new_tokens": None}}).longest_answer == 256
    assert GenerationSettings(max_new_tokens=9).longest_answer == 9
    for length in (16, 256):
        changes = ["run_mode=predict", f"model.model_config.seq_length={length}", "generation={batch_size: 2}"]
        config = load_config("scimind_nano_finetune", changes)
        assert GenerationSettings.from_config(config).max_new_tokens is None
