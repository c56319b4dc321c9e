"""Which experts the tokens of a converted model use, and what the command says about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scimind.checkpoint.convert.conversion import plan_conversion
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.cli import main
from scimind.errors import SciMindError
from tests.unit.checkpoint.convert.support import convert, llama


def notes_of(folder: Path, **options) -> str:
    return "\n".join(plan_conversion(folder, ConvertOptions(**options)).notes)


@pytest.mark.parametrize(
    ("neurons", "experts"), [(64, 16), (172, 4), (1376, 16), (11008, 16), (13824, 16), (100, 10), (107, 1)]
)
def test_every_token_uses_every_expert_by_default(tmp_path: Path, neurons: int, experts: int) -> None:
    _, folder = llama(tmp_path / "hf", hidden_size=8, num_hidden_layers=1, intermediate_size=neurons)
    plan = plan_conversion(folder, ConvertOptions())
    routing = plan.target.description["routing"]
    assert routing["num_experts"] == experts and routing["router"] == "modality"
    assert all(chosen == list(range(experts)) for chosen in routing["expert_sets"].values())
    assert plan.earlier_routing is None
    note = next(note for note in plan.notes if note.startswith("routing"))
    assert f"every token uses all {experts} experts" in note
    assert (f"{experts} is the largest number up to 16 that divides a layer's {neurons} neurons" in note) is (
        neurons % 16 != 0
    )


def test_what_a_chosen_routing_gives_up_is_said(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    said = notes_of(folder, routing={"expert_sets": {"text": ["0..3"], "smiles": ["0..15"]}})
    assert "router modality changes the model's answers: text 4 of 16 experts (25% of the neurons), smiles 16" in said
    assert "--data FILE measures" in said
    said = notes_of(folder, routing={"router": "activation"})
    assert "text 14 of 16 experts (88% of the neurons), smiles 2 of 16 experts (12% of the neurons)" in said
    assert "every token uses all 8 experts" in notes_of(folder, routing={"num_experts": 8})
    every = {modality: 16 for modality in ("text", "smiles", "nucleotide", "protein")}
    assert "every token uses all" in notes_of(folder, routing={"router": "activation", "experts_per_token": every})


def test_a_flag_of_another_router_is_refused(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    for options, message in (
        ({"routing": {"experts_per_token": {"text": 14}}}, "--experts-per-token has no effect with router modality"),
        ({"routing": {"router": "learned", "expert_sets": {"text": [0]}}}, "--expert-sets has no effect with router l"),
        ({"released_routing": True}, "--released-routing has no effect .*; add --router activation or learned"),
    ):
        with pytest.raises(SciMindError, match=message):
            plan_conversion(folder, ConvertOptions(**options))


def test_a_converted_model_keeps_its_routing_and_can_get_another(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    routed = convert(folder, tmp_path / "routed", routing={"expert_sets": {"text": ["0..3"]}})
    assert "routing: router modality, as in the input" in notes_of(routed)
    dense = convert(folder, tmp_path / "dense")
    (tmp_path / "parts").mkdir()
    for layer in range(2):
        np.save(tmp_path / "parts" / f"patterns_{layer}.npy", np.arange(64) % 8)
    (tmp_path / "parts" / "partition.json").write_text(json.dumps({"num_experts": 8}))
    assert "every token uses all 8 experts" in notes_of(dense, partition=tmp_path / "parts")
    sets = {"text": ["0..3"], "smiles": ["4..7"], "nucleotide": ["4..7"], "protein": ["4..7"]}
    plan = plan_conversion(dense, ConvertOptions(partition=tmp_path / "parts", routing={"expert_sets": sets}))
    assert plan.target.description["routing"]["expert_sets"]["smiles"] == [4, 5, 6, 7]
    assert plan.earlier_routing is not None and plan.earlier_routing.active_experts("text") == 8


def test_a_configuration_routes_only_if_it_says_how(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    (tmp_path / "plain.yaml").write_text("model: {model_config: {hidden_size: 32, num_heads: 4, num_layers: 2}}\n")
    for config, text in (("plain.yaml", list(range(16))), ("scimind_nano_predict", list(range(8)))):
        given = str(tmp_path / config) if config.endswith("yaml") else config
        output = tmp_path / Path(config).stem
        assert main(["convert", "--input", str(folder), "--output", str(output), "--config", given]) == 0
        assert json.loads((output / "scimind.json").read_text())["routing"]["expert_sets"]["text"] == text
