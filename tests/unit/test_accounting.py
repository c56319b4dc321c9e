"""Parameters and FLOPs agree with numbers computed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind import accounting
from scimind.accounting import ModelShape
from scimind.config import load_config

CONFIGS = Path(__file__).parents[2] / "configs"

TINY = ModelShape(
    layers=2,
    hidden=4,
    heads=2,
    groups=1,
    neurons=8,
    experts=4,
    vocabulary=10,
    length=3,
    tied=False,
    qkv_bias=False,
    output_bias=False,
    router="modality",
    active={"text": 3, "smiles": 1, "nucleotide": 1, "protein": 4},
)


def with_changes(**changes: object) -> ModelShape:
    return ModelShape(**{**vars(TINY), **changes})  # type: ignore[arg-type]


def test_parameters_by_hand() -> None:
    # Per layer: queries and output 4 x 4 each, keys and values 2 x 4 each; three matrices 8 x 4; two norms of 4.
    assert accounting.parameters(TINY) == {
        "embedding": 40,
        "attention": 2 * (16 + 16 + 8 + 8),
        "feed-forward": 2 * 96,
        "router": 0,
        "norms": 2 * 8 + 4,
        "output": 40,
    }


def test_parameters_with_biases_a_gate_and_tied_weights() -> None:
    parts = accounting.parameters(with_changes(qkv_bias=True, output_bias=True, tied=True, router="learned"))
    assert parts["attention"] == 2 * (48 + 4 + 2 + 2 + 4)
    assert parts["router"] == 2 * 4 * 4
    assert parts["output"] == 0


def test_active_parameters_by_hand() -> None:
    # Text uses 6 of 8 neurons: 3 x 4 x 6 per layer; one row of the embedding; the rest is shared.
    assert accounting.active_parameters(TINY, "text") == 2 * 72 + 40 + 96 + 20 + 4
    everything = sum(accounting.parameters(TINY).values())
    assert accounting.active_parameters(TINY, "protein") == everything - 40 + 4


@pytest.mark.parametrize(
    ("router", "modality", "flops"),
    [
        ("modality", "smiles", 2 * 2 * 4 * 3 * 2),
        ("modality", None, 2 * 2 * 4 * 3 * 8),
        ("modality", "protein", 2 * 2 * 4 * 3 * 8),
        ("activation", "smiles", 2 * 2 * 4 * (8 + 8 + 2)),
        ("learned", "smiles", 2 * 2 * 4 * (3 * 2 + 4)),
    ],
)
def test_feed_forward_flops_by_hand(router: str, modality: str | None, flops: int) -> None:
    assert accounting.feed_forward_flops(with_changes(router=router), modality) == flops


def test_token_flops_by_hand() -> None:
    # Projections 2 x 48 per layer, scores and their use 2 x (2 x 3 x 4) per layer, output 2 x 40.
    assert accounting.token_flops(TINY) == 2 * (96 + 48) + 2 * 2 * 96 + 80


def test_half_text_half_smiles_at_14_and_2_is_half_of_dense() -> None:
    shape = with_changes(experts=16, neurons=32, active={"text": 14, "smiles": 2})
    mean = (accounting.feed_forward_flops(shape, "text") + accounting.feed_forward_flops(shape, "smiles")) / 2
    assert mean == accounting.feed_forward_flops(shape) / 2


def test_seven_billion_is_llama_with_128_more_rows() -> None:
    """Llama-2 7B has 6,738,415,616 parameters, as published; 128 more rows of the two vocabulary matrices are ours."""
    shape = ModelShape.of(load_config(CONFIGS / "scimind_7b_finetune.yaml").model_config)
    assert sum(accounting.parameters(shape).values()) == 6_738_415_616 + 2 * 128 * 4096
    assert shape.active == {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2}


def test_shared_experts_add_to_the_chosen_up_to_all() -> None:
    overrides = ["--model.model_config.shared_experts={text: [10, 11], smiles: [0..13], protein: [0]}"]
    shape = ModelShape.of(load_config(CONFIGS / "scimind_7b_finetune.yaml", overrides).model_config)
    assert shape.active == {"text": 16, "smiles": 16, "nucleotide": 2, "protein": 3}
