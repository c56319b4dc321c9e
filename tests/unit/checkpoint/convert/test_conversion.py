"""Conversions without a model: what is refused, what is detected, which rows and neurons move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from scimind.checkpoint.convert.conversion import plan_conversion
from scimind.checkpoint.convert.neuron_order import feed_forward_fingerprint
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.sizes import read_config_json
from scimind.checkpoint.convert.source import read_source
from scimind.checkpoint.convert.vocabulary import spelling
from scimind.checkpoint.formats.safetensors_file import read_header, write_file
from scimind.checkpoint.formats.tensors import NewTensor, bytes_of, from_float32
from scimind.checkpoint.weights import WeightMismatchError
from scimind.errors import CheckpointError, SciMindError
from scimind.tokenizer import TokenCodec
from tests.support import numpy_llama
from tests.unit.checkpoint.convert.support import convert, llama

EMBEDDING = "model.tok_embeddings.embedding_weight"
HALVES = {"text": ["0..7"], "smiles": ["8..15"], "nucleotide": ["8..15"], "protein": ["8..15"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mistral"}, "only llama models can be converted"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling .* is not supported"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling .* is not supported"),
        ({"attention_bias": True, "hidden_act": "gelu"}, "hidden_act .* must be .*; attention_bias"),
        ({"head_dim": 16}, "head_dim .16. must be hidden_size / num_attention_heads"),
        ({"num_key_value_heads": 3}, "num_key_value_heads .3. must divide"),
    ],
)
def test_unsupported_llamas_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**numpy_llama.SIZES, **change}))
    with pytest.raises(CheckpointError, match=message):
        read_config_json(tmp_path / "config.json")


def test_sizes_of_older_and_newer_forms(tmp_path: Path) -> None:
    config = {
        key: value for key, value in numpy_llama.SIZES.items() if key not in ("num_key_value_heads", "rope_theta")
    }
    config |= {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}, "eos_token_id": [2, 7]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    sizes = read_config_json(tmp_path / "config.json")
    assert (sizes.n_kv_heads, sizes.theta, sizes.eos_token_id) == (4, 1e6, 2)


def test_every_fault_is_named(tmp_path: Path) -> None:
    weights, folder = llama(tmp_path / "hf")
    del weights["model.layers.1.mlp.up_proj.weight"]
    weights["model.layers.0.self_attn.k_proj.weight"] = np.zeros((5, 32), np.float32)
    weights["model.layers.7.input_layernorm.weight"] = np.zeros(32, np.float32)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(WeightMismatchError) as caught:
        read_source(folder)
    fault = caught.value
    assert fault.missing == ["model.layers.1.feed_forward.w3.weight"]
    assert fault.unexpected == ["model.layers.7.input_layernorm.weight"]
    assert fault.misshapen == [("model.layers.0.self_attn.k_proj.weight", (5, 32), (32, 32))]


def test_shards_must_be_complete(tmp_path: Path) -> None:
    config = dict(numpy_llama.SIZES)
    folder = numpy_llama.save(tmp_path / "hf", numpy_llama.draw(config), config, files=3)
    assert len(read_source(folder).tensors) == 21
    part = load_file(folder / "model-00002-of-00003.safetensors")
    lost = sorted(part)[0]
    del part[lost]
    save_file(part, folder / "model-00002-of-00003.safetensors")
    with pytest.raises(WeightMismatchError, match=lost):
        read_source(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks model-00002-of-00003.safetensors"):
        read_source(folder)


def test_a_stored_head_of_a_tied_model_must_be_the_embedding(tmp_path: Path) -> None:
    weights, folder = llama(tmp_path / "hf", tie_word_embeddings=True)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    save_file(weights, folder / "model.safetensors")
    assert "lm_head.weight" not in read_source(folder).tensors
    weights["lm_head.weight"][0, 0] += 1
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="differs from the embedding"):
        read_source(folder)


def test_new_rows_are_means_and_padding_is_zero(tmp_path: Path) -> None:
    weights, folder = llama(tmp_path / "hf")
    codec = TokenCodec()
    for kind in ("pieces", "mean"):
        made = load_file(convert(folder, tmp_path / kind, new_rows=kind) / "model.safetensors")
        for name, old in ((EMBEDDING, "model.embed_tokens.weight"), ("lm_head.weight", "lm_head.weight")):
            assert made[name].shape == (2112, 32)
            np.testing.assert_array_equal(made[name][:2000], weights[old])
            np.testing.assert_array_equal(made[name][2105:], 0)
            ids = list(spelling(codec, "C")) if kind == "pieces" else range(2000)
            expected = weights[old][ids].mean(0, dtype=np.float64)
            np.testing.assert_allclose(made[name][codec.token_id("{|C|}")], expected, atol=1e-7)


def test_a_character_is_spelled_by_its_pieces() -> None:
    codec = TokenCodec()
    assert [codec.token(index) for index in spelling(codec, "C")] == ["C", "▁C"]
    assert all(spelling(codec, character) for character in "\\%$~")


def test_half_precision_is_kept_as_it_is(tmp_path: Path) -> None:
    weights, folder = llama(tmp_path / "hf")
    words = {name: from_float32(value, "BF16") for name, value in weights.items()}
    tensors = [NewTensor(name, "BF16", value.shape, [bytes_of(value)]) for name, value in words.items()]
    write_file(folder / "model.safetensors", tensors, {}, lambda tensor: None)
    ours = convert(folder, tmp_path / "ours")
    back = read_header(
        convert(ours, tmp_path / "back", to="hf", original_vocabulary=True, allow_loss=True) / "model.safetensors"
    )
    for name, value in words.items():
        assert back[name].dtype == "BF16"
        np.testing.assert_array_equal(back[name].words(), value)
    assert json.loads((tmp_path / "back" / "config.json").read_text())["torch_dtype"] == "bfloat16"


def partition(folder: Path, seed: int) -> list[np.ndarray]:
    folder.mkdir()
    random = np.random.default_rng(seed)
    labels = [random.permutation(np.arange(64) % 16) for _ in range(2)]
    for layer, of_neuron in enumerate(labels):
        np.save(folder / f"patterns_{layer}.npy", of_neuron)
    return labels


def test_neurons_move_twice_and_return(tmp_path: Path) -> None:
    weights, folder = llama(tmp_path / "hf")
    first = partition(tmp_path / "first", 1)
    partition(tmp_path / "second", 2)
    ours = convert(folder, tmp_path / "a", partition=tmp_path / "first")
    made = load_file(ours / "model.safetensors")
    for layer, labels in enumerate(first):
        order = np.argsort(labels, kind="stable")
        for theirs, name, axis in (("gate", "w1", 0), ("up", "w3", 0), ("down", "w2", 1)):
            old = weights[f"model.layers.{layer}.mlp.{theirs}_proj.weight"]
            new = made[f"model.layers.{layer}.feed_forward.{name}.weight"]
            np.testing.assert_array_equal(new, np.take(old, order, axis))
    again = convert(ours, tmp_path / "b", partition=tmp_path / "second")
    description = [json.loads((path / "scimind.json").read_text()) for path in (ours, again)]
    assert description[0]["neuron_order"] != description[1]["neuron_order"]
    for path in (ours, again):
        back = load_file(
            convert(path, tmp_path / f"{path.name}_back", to="hf", original_vocabulary=True, allow_loss=True)
            / "model.safetensors"
        )
        assert all(np.array_equal(back[name], value) for name, value in weights.items())
    np.save(again / "neuron_order.npy", np.load(ours / "neuron_order.npy"))
    with pytest.raises(CheckpointError, match="not the neuron order of these weights"):
        plan_conversion(again, ConvertOptions(to="hf", allow_loss=True))


def test_a_partition_of_other_weights_is_refused(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    partition(tmp_path / "parts", 1)
    options = ConvertOptions(partition=tmp_path / "parts")
    source = read_source(folder)
    made_from = feed_forward_fingerprint(source.tensors, source.sizes.num_layers)
    for fingerprint, message in ((made_from, None), ("0" * 16, "weights other than")):
        (tmp_path / "parts" / "partition.json").write_text(json.dumps({"fingerprint": fingerprint}))
        if message is None:
            plan_conversion(folder, options)
            continue
        with pytest.raises(CheckpointError, match=message):
            plan_conversion(folder, options)


def test_an_export_that_loses_the_routing_says_so(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    plan_conversion(convert(folder, tmp_path / "dense"), ConvertOptions(to="hf"))  # has nothing to lose
    ours = convert(folder, tmp_path / "ours", routing={"expert_sets": HALVES})
    with pytest.raises(CheckpointError, match="router modality; text 8 of 16 experts, smiles 8 of 16 .*--allow-loss"):
        plan_conversion(ours, ConvertOptions(to="hf"))
    plan = plan_conversion(ours, ConvertOptions(to="hf", allow_loss=True))
    assert any("loses its routing" in note for note in plan.notes)


def test_an_exported_model_is_recognised(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    ours = convert(folder, tmp_path / "ours")
    exported = convert(ours, tmp_path / "exported", to="hf", allow_loss=True, shard_bytes=100_000)
    assert len(list(exported.glob("model-*.safetensors"))) > 2
    assert not any("vocabulary" in note for note in plan_conversion(exported, ConvertOptions()).notes)
    again = convert(exported, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (ours / "model.safetensors").read_bytes()
    one, two = (json.loads((path / "scimind.json").read_text()) for path in (ours, again))
    assert one.pop("converted_from") == two.pop("converted_from") == "hf"
    assert one == two


def test_rows_without_known_tokens_are_refused(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf", vocab_size=2001)
    with pytest.raises(CheckpointError, match="has 2001 vocabulary rows, .* 2000 pieces"):
        plan_conversion(folder, ConvertOptions())
    _, short = llama(tmp_path / "short", vocab_size=1999)
    with pytest.raises(CheckpointError, match="has 1999 vocabulary rows, .* --tokenizer"):
        plan_conversion(short, ConvertOptions())


def test_mindformers_weights_need_their_heads(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    ours = convert(folder, tmp_path / "ours")
    plain = tmp_path / "plain"
    plain.mkdir()
    save_file(load_file(ours / "model.safetensors"), plain / "x.safetensors")
    with pytest.raises(CheckpointError, match="--num-heads"):
        read_source(plain)
    source = read_source(plain, num_heads=4)
    assert (source.kind, source.sizes.n_kv_heads, source.sizes.num_layers) == ("mindformers", 4, 2)


def test_an_output_is_guarded(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    ours = convert(folder, tmp_path / "ours")
    with pytest.raises(SciMindError, match="not empty; give another folder, or --overwrite"):
        convert(folder, ours)
    convert(folder, ours, overwrite=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(SciMindError, match="something other than a checkpoint"):
        convert(folder, tmp_path / "notes", overwrite=True)
    for output, message in ((folder, "is the input"), (folder / "new", "is inside the input"), (tmp_path, "contains")):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SciMindError, match=message):
            convert(folder, output, overwrite=True)
        assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(SciMindError, match="is inside the input"):
        convert(folder, tmp_path / "link" / "new")
    for text in ("tokenizer.model", "missing"):
        with pytest.raises(SciMindError):
            plan_conversion(folder / text, ConvertOptions())
