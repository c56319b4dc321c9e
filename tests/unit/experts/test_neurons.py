"""Reading neurons from files of both formats and all types; files that are not checkpoints are reported."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from scimind.checkpoint.finding import Checkpoint
from scimind.errors import CheckpointError
from scimind.experts.neurons import NeuronWeights


def save(path: Path, dtype: ms.Type, **changes: tuple[int, int]) -> dict[str, np.ndarray]:
    random, values = np.random.default_rng(0), {}
    for layer in range(2):
        for part in ("w1", "w2", "w3"):
            shape = changes.get(f"{part}_{layer}", (3, 5) if part == "w2" else (5, 3))
            values[f"model.layers.{layer}.feed_forward.{part}.weight"] = random.standard_normal(shape)
    entries = [{"name": name, "data": ms.Tensor(value, ms.float32).astype(dtype)} for name, value in values.items()]
    ms.save_checkpoint(entries, str(path), format=path.suffix[1:])
    return {entry["name"]: entry["data"].astype(ms.float32).asnumpy() for entry in entries}


@pytest.mark.parametrize("dtype", [ms.float32, ms.float16, ms.bfloat16])
@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors"])
def test_rows_equal_those_in_the_file(tmp_path: Path, name: str, dtype: ms.Type) -> None:
    values = save(tmp_path / name, dtype)
    weights = NeuronWeights(Checkpoint(tmp_path / name, {}))
    assert (weights.num_layers, weights.neurons, weights.hidden_size) == (2, 5, 3)
    for layer in range(2):
        for part in ("w1", "w3"):
            expected = values[f"model.layers.{layer}.feed_forward.{part}.weight"]
            np.testing.assert_array_equal(weights.rows(layer, part), expected)
    gate = values["model.layers.1.feed_forward.w1.weight"]
    np.testing.assert_allclose(
        weights.vectors(1, "gate"), gate / np.linalg.norm(gate, axis=1, keepdims=True), rtol=1e-6
    )
    assert weights.vectors(1, "both").shape == (5, 6)
    np.testing.assert_allclose(np.linalg.norm(weights.vectors(1, "both"), axis=1), 1, rtol=1e-6)


def test_the_fingerprint_is_of_these_neurons(tmp_path: Path) -> None:
    save(tmp_path / "a.ckpt", ms.float32)
    save(tmp_path / "b.safetensors", ms.float32)
    save(tmp_path / "c.ckpt", ms.float16)
    one, two, three = (
        NeuronWeights(Checkpoint(tmp_path / name, {})).fingerprint() for name in ("a.ckpt", "b.safetensors", "c.ckpt")
    )
    assert one == two != three


def test_faults_are_reported(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"no checkpoint at all")
    (tmp_path / "x.safetensors").write_bytes(b"short")
    for name in ("x.ckpt", "x.safetensors"):
        with pytest.raises(CheckpointError, match=f"{name}: cannot be read as a checkpoint"):
            NeuronWeights(Checkpoint(tmp_path / name, {}))
    save(tmp_path / "y.ckpt", ms.float32, w3_1=(4, 3))
    with pytest.raises(CheckpointError, match=r"layers\.1\.feed_forward\.w3\.weight is \[4, 3\], the first layer's is"):
        NeuronWeights(Checkpoint(tmp_path / "y.ckpt", {})).rows(1, "w3")
    ms.save_checkpoint([{"name": "a.self_attn.b", "data": ms.Tensor([1.0])}], str(tmp_path / "z.ckpt"))
    with pytest.raises(CheckpointError, match="Hugging Face's names"):
        NeuronWeights(Checkpoint(tmp_path / "z.ckpt", {}))
