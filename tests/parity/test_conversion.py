"""Converted weights against independent Llamas: numpy always, transformers if torch is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from scimind.checkpoint.convert.conversion import plan_conversion, run_conversion
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.finding import find_checkpoint
from scimind.checkpoint.weights import load_weights
from scimind.errors import CheckpointError
from tests.support import golden, numpy_llama, tolerances
from tests.support.models import build, logits, loss, use_mode

KINDS = [
    pytest.param(heads, tied, id=f"{'grouped-query' if heads < 4 else 'multi-head'}{'-tied' if tied else ''}")
    for heads in (4, 2)
    for tied in (False, True)
]


def convert(source: Path, output: Path, **options: Any) -> Path:
    chosen = ConvertOptions(**options)
    run_conversion(plan_conversion(source, chosen), output, chosen)
    return output


def model_of(folder: Path, **settings: Any):
    """Returns the model that a converted checkpoint describes, with its weights."""
    checkpoint = find_checkpoint(folder)
    described = dict(checkpoint.description)
    sizes = {key: value for key, value in described["model"].items() if key not in ("arch", "type")}
    given = {**sizes, **described["routing"], "modality_ranges": described["modality_ranges"], "batch_size": 1}
    model = build(**{**given, **settings})
    load_weights(model, checkpoint)
    return model


def llama(tmp_path: Path, heads: int, tied: bool, files: int = 1) -> tuple[dict, dict, Path]:
    config = {**numpy_llama.SIZES, "num_key_value_heads": heads, "tie_word_embeddings": tied}
    weights = numpy_llama.draw(config)
    return config, weights, numpy_llama.save(tmp_path / "hf", weights, config, files)


@pytest.mark.parametrize(("heads", "tied"), KINDS)
def test_a_llama_keeps_its_logits_and_is_exported_bit_identical(tmp_path: Path, heads: int, tied: bool) -> None:
    use_mode("pynative")
    config, weights, source = llama(tmp_path, heads, tied, files=3)
    folder = convert(source, tmp_path / "ours")
    ids = np.random.default_rng(3).integers(3, 2000, 20).astype(np.int32)
    model = model_of(folder)
    wanted = numpy_llama.logits(weights, config, ids)
    assert np.abs(logits(model, ids[None])[0, :, :2000] - wanted).max() < tolerances.NUMPY
    weights["model.layers.1.self_attn.k_proj.weight"][0, 0] += 1.0
    assert np.abs(logits(model, ids[None])[0, :, :2000] - numpy_llama.logits(weights, config, ids)).max() > 1e-3

    back = load_file(convert(folder, tmp_path / "back", to="hf", original_vocabulary=True) / "model.safetensors")
    first = numpy_llama.draw(config)
    assert sorted(back) == sorted(first)
    assert all(np.array_equal(back[name], first[name]) for name in first)
    assert json.loads((tmp_path / "back" / "config.json").read_text())["tie_word_embeddings"] is tied


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed (extra `parity`)")
@pytest.mark.parametrize(("heads", "tied"), KINDS)
def test_transformers_gives_the_same_logits_both_ways(tmp_path: Path, heads: int, tied: bool) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    use_mode("pynative")
    torch.manual_seed(0)
    theirs = {key: value for key, value in numpy_llama.SIZES.items() if key not in ("model_type", "architectures")}
    config = LlamaConfig(
        **{**theirs, "num_key_value_heads": heads, "tie_word_embeddings": tied, "initializer_range": 0.2}
    )
    first = LlamaForCausalLM(config).eval()
    first.save_pretrained(tmp_path / "hf", safe_serialization=True)
    (tmp_path / "hf" / "tokenizer.model").write_bytes(numpy_llama.BUILT_IN_MODEL.read_bytes())
    folder = convert(tmp_path / "hf", tmp_path / "ours")
    ids = np.random.default_rng(3).integers(3, 2000, (1, 20)).astype(np.int32)
    with torch.no_grad():
        wanted = first(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    ours = logits(model_of(folder), ids)
    print(
        f"largest difference {np.abs(ours[..., :2000] - wanted).max():.1e} of logits up to {np.abs(wanted).max():.1f}"
    )
    assert np.abs(ours[..., :2000] - wanted).max() < tolerances.GOLDEN

    convert(folder, tmp_path / "back", to="hf")
    again = LlamaForCausalLM.from_pretrained(tmp_path / "back").eval()
    with torch.no_grad():
        longer = again(torch.tensor(ids, dtype=torch.long)).logits.numpy()
    assert np.array_equal(longer[..., :2000], wanted) or np.abs(longer[..., :2000] - wanted).max() < 1e-6
    assert np.abs(longer - ours).max() < tolerances.GOLDEN
    assert all(
        torch.equal(value[:2000] if "embed" in name or "head" in name else value, first.state_dict()[name])
        for name, value in again.state_dict().items()
    )


def test_new_rows_do_not_change_old_logits(tmp_path: Path) -> None:
    use_mode("pynative")
    _, _, source = llama(tmp_path, 4, False)
    ids = np.random.default_rng(3).integers(3, 2000, (1, 20)).astype(np.int32)
    before = model_of(convert(source, tmp_path / "a", extension=False, vocab_multiple=1))
    after = model_of(convert(source, tmp_path / "b", vocab_multiple=256))
    assert logits(after, ids).shape[-1] == 2304
    # Bit-identical up to the last product, whose rounding depends on its width on some processors.
    states = [model.model(ms.Tensor(ids)).asnumpy() for model in (before.set_train(False), after.set_train(False))]
    assert np.array_equal(*states)
    heads = [model.lm_head.weight.asnumpy()[:2098] for model in (before, after)]
    assert np.array_equal(*heads)
    assert np.abs(logits(before, ids)[..., :2098] - logits(after, ids)[..., :2098]).max() < tolerances.SAME_MATH


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The original's checkpoint, with neurons in its own order and its patterns next to it."""
    case = golden.golden_case("intended", expert_order=False)
    folder = tmp_path / "v0"
    folder.mkdir()
    entries = [{"name": name, "data": ms.Tensor(value)} for name, value in case.weights.items()]
    ms.save_checkpoint(entries, str(folder / "scimind.ckpt"))
    for layer, labels in enumerate(case.arrays["expert_of_neuron"]):
        np.save(folder / f"patterns_{layer}.npy", labels[None] == np.arange(16)[:, None])
    return folder


def golden_difference(folder: Path, variant: str) -> tuple[float, float, bool]:
    case = golden.golden_case(variant)
    ids, labels = case.arrays["ids"], case.arrays["labels"]
    model = model_of(folder, batch_size=case.meta["batch"], seq_length=case.meta["seq"])
    seen = ids[:, :-1] != 0
    ours = logits(model, ids[:, :-1])[..., : case.meta["vocab"]]
    difference = np.abs(ours[..., :: case.meta["logit_stride"]] - case.arrays["logits"])[seen].max()
    same = bool((ours.argmax(-1) == case.arrays["argmax"])[seen].all())
    return float(difference), abs(loss(model, ids, labels) - float(case.arrays["loss"][0])), same


@pytest.mark.parametrize("variant", ["intended", "released"])
def test_an_original_checkpoint_reproduces_its_outputs(tmp_path: Path, original: Path, variant: str) -> None:
    use_mode("pynative")
    folder = convert(original, tmp_path / "ours", released_routing=variant == "released", num_heads=4, vocab_multiple=1)
    difference, of_loss, same = golden_difference(folder, variant)
    assert difference < tolerances.GOLDEN
    assert of_loss < tolerances.GOLDEN
    assert same
    # With the other variant's shared experts, or with two experts' patterns swapped, the outputs differ.
    assert golden_difference(folder, "released" if variant == "intended" else "intended")[0] > 100 * tolerances.GOLDEN


def test_experts_swapped_in_the_patterns_are_noticed(tmp_path: Path, original: Path) -> None:
    use_mode("pynative")
    rows = np.load(original / "patterns_0.npy")
    np.save(original / "patterns_0.npy", np.roll(rows, 5, axis=1))
    folder = convert(original, tmp_path / "ours", num_heads=4, vocab_multiple=1)
    assert golden_difference(folder, "intended")[0] > 100 * tolerances.GOLDEN


def test_a_perturbed_weight_is_refused_by_name(tmp_path: Path) -> None:
    use_mode("pynative")
    _, _, source = llama(tmp_path, 4, False)
    folder = convert(source, tmp_path / "ours")
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.attention.wo.weight"
    weights[name][3, 4] = np.nextafter(weights[name][3, 4], 1, dtype=np.float32)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=name):
        convert(folder, tmp_path / "back", to="hf")
    with pytest.raises(CheckpointError, match=name):
        model_of(folder)
    assert not (tmp_path / "back").exists()
    convert(folder, tmp_path / "back", to="hf", changed_weights=True)
