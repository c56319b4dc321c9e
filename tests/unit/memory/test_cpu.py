"""Properties of a process's memory estimate; scripts/bench/memory.py compares it with measurements."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest

from scimind.config import load_config
from scimind.memory import Memory, estimate_memory

CONFIGS = Path(__file__).parents[3] / "configs"
D, H, V, S, LAYERS, HEADS = 128, 512, 2112, 160, 4, 4  # of the nano model


def training(*overrides: str) -> Memory:
    return estimate_memory(load_config(CONFIGS / "scimind_nano_finetune.yaml", overrides))


def predicting(*overrides: str) -> Memory:
    return estimate_memory(load_config(CONFIGS / "scimind_nano_predict.yaml", overrides))


def test_weights_gradients_and_moments_are_float32() -> None:
    number = LAYERS * (4 * D * D + 3 * D * H + 2 * D) + D + 2 * V * D
    memory = training()
    assert (memory.weights, memory.gradients, memory.optimizer) == (4 * number, 4 * number, 8 * number)


def test_the_total_is_the_sum_of_all_components() -> None:
    for memory in (training(), predicting()):
        assert memory.total == sum(astuple(memory)) - memory.stage
    assert all(value > 0 for value in (training().activations, training().runtime, predicting().activations))


@pytest.mark.parametrize("dispatch", ["grouped", "masked"])
@pytest.mark.parametrize(
    "more",
    [
        "runner_config.batch_size=17",
        "model.model_config.seq_length=200",
        "model.model_config.num_layers=5",
        "model.model_config.intermediate_size=768",
    ],
)
def test_more_of_anything_needs_more_memory(dispatch: str, more: str) -> None:
    fixed = f"model.model_config.dispatch={dispatch}"
    before, after = training(fixed, "runner_config.batch_size=16"), training(fixed, "runner_config.batch_size=16", more)
    assert after.activations > before.activations
    assert after.runtime >= before.runtime
    assert after.total > before.total


def test_a_step_keeps_at_least_what_its_products_read() -> None:
    """The backward pass of a matrix product needs its input: two in attention, and two in the feed-forward."""
    tokens = 4 * S
    needed = training("runner_config.batch_size=4", "model.model_config.dispatch=masked").activations
    assert needed > 4 * tokens * LAYERS * (3 * D + H)
    # Nothing may grow with the square of a batch.
    many = training("runner_config.batch_size=16", "model.model_config.dispatch=masked").activations
    assert many <= 4 * needed


def test_grouped_tokens_keep_only_the_neurons_that_they_use() -> None:
    grouped, masked = (training(f"model.model_config.dispatch={dispatch}") for dispatch in ("grouped", "masked"))
    assert grouped.activations < masked.activations
    assert training("model.model_config.dispatch=auto") == grouped


def test_predicting() -> None:
    one, two = predicting("generation.batch_size=1"), predicting("generation.batch_size=2")
    assert (one.gradients, one.optimizer, one.runtime) == (0, 0, 0)
    assert one.cache == LAYERS * 2 * S * D * 4  # keys and values of every layer
    assert (two.cache, two.activations) == (2 * one.cache, 2 * one.activations)
    assert predicting("model.model_config.use_past=False").cache == 0
