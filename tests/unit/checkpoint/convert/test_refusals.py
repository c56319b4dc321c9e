"""Inputs that are no models, or damaged ones: one line says what they are and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from scimind.checkpoint.convert.conversion import plan_conversion
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.formats.safetensors_file import write_file
from scimind.checkpoint.formats.tensors import NewTensor, are_finite, bytes_of, from_float32
from scimind.cli import main
from scimind.errors import CheckpointError, SciMindError
from tests.unit.checkpoint.convert.support import convert, llama

NAME = "model.layers.1.mlp.up_proj.weight"


def test_an_adapter_is_not_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "lora"
    folder.mkdir()
    part = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {f"{part}.lora_A.weight": np.ones((2, 32), np.float32), f"{part}.lora_B.weight": np.ones((32, 2), "f4")}
    save_file(tensors, folder / "adapter_model.safetensors")
    for has_description in (False, True):
        if has_description:
            (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        for given in (folder, folder / "adapter_model.safetensors"):
            assert main(["convert", "--input", str(given), "--output", str(tmp_path / "new")]) == 2
            error = capsys.readouterr().err
            assert "is an adapter (adapter_config.json)" in error and "merge_and_unload" in error
            assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}]}},
            "byte-level BPE tokenizer, as in Llama 3",
        ),
        (
            {"model": {"type": "BPE", "byte_fallback": True}, "decoder": {"type": "Sequence"}},
            "fast form of a tokenizer",
        ),
        (None, "cannot be read"),
    ],
)
def test_a_tokenizer_without_its_model_is_named(tmp_path: Path, content: Any, message: str) -> None:
    _, folder = llama(tmp_path / "hf")
    (folder / "tokenizer.model").unlink()
    file = folder / "tokenizer.json"
    file.write_text("[" * 50_000 if content is None else json.dumps(content))
    for options in (ConvertOptions(), ConvertOptions(tokenizer=file)):
        with pytest.raises(SciMindError, match=message):
            plan_conversion(folder, options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float, dtype: str) -> None:
    weights, folder = llama(tmp_path / "hf")
    weights[NAME][5, 6] = value
    words = {name: value.view(np.uint32) if dtype == "F32" else _words(value, dtype) for name, value in weights.items()}
    tensors = [NewTensor(name, dtype, value.shape, [bytes_of(value)]) for name, value in words.items()]
    write_file(folder / "model.safetensors", tensors, {}, lambda tensor: None)
    with pytest.raises(CheckpointError, match=f"{NAME} holds NaN or infinite numbers"):
        convert(folder, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def _words(value: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return from_float32(value, dtype)


def test_the_largest_finite_numbers_are_finite() -> None:
    assert are_finite(np.array([3.4e38, -3.4e38, 1e-45, 0], np.float32).tobytes(), "F32")
    assert are_finite(np.array([65504, -65504, 6e-8], np.float16).tobytes(), "F16")
    assert are_finite(np.array([0x7F7F, 0xFF7F], np.uint16).tobytes(), "BF16")
    assert not are_finite(np.array([0x7F80], np.uint16).tobytes(), "BF16")
    assert are_finite(np.array([-1], np.int32).tobytes(), "I32")


@pytest.mark.parametrize("name", ["config.json", "scimind.json", "model.safetensors.index.json"])
def test_deeply_nested_json_ends_in_one_line(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = llama(tmp_path / "hf")
    (folder / name).write_text("[" * 100_000)
    assert main(["convert", "--input", str(folder), "--output", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert name in error and error.count("\n") == 1


def test_an_output_around_or_inside_the_input_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder = llama(tmp_path / "hf")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for output in (folder, folder / "new", tmp_path, folder / ".." / "hf" / "a" / "b"):
        for more in ([], ["--overwrite"], ["--to-strategy", str(folder)]):
            assert main(["convert", "--input", str(folder), "--output", str(output), *more]) == 2
            assert "give another" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    single = ["convert", "--input", str(folder / "model.safetensors"), "--output", str(folder / "new")]
    assert main(single) == 0  # next to the file is not inside it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": 0}, "sizes must be from 1 to"),
        ({"num_key_value_heads": -1}, "sizes must be from 1 to"),
        ({"hidden_size": 10**30}, "sizes must be from 1 to"),
        ({"vocab_size": float("inf")}, "a size is not a number"),
        ({"rope_theta": float("nan")}, "must be finite"),
        ({"rope_scaling": [1]}, "must be objects"),
        ({"head_dim": "x"}, "head_dim"),
    ],
)
def test_impossible_sizes_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    _, folder = llama(tmp_path / "hf")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=message):
        plan_conversion(folder, ConvertOptions())


@pytest.mark.parametrize("name", ["x" * 5000, "../model.safetensors", "/etc/hostname", ""])
def test_an_index_names_files_next_to_it(tmp_path: Path, name: str) -> None:
    _, folder = llama(tmp_path / "hf")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": name}}))
    with pytest.raises(CheckpointError, match="index.json: (cannot be read|names)|lacks") as caught:
        plan_conversion(folder, ConvertOptions())
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_layers": 2**31}, "num_layers .* must be at most"),
        ({"num_layers": "two"}, "num_layers .'two'. must be a whole number"),
        ({"num_heads": 0}, "sizes must be from 1 to"),
        ({"hidden_size": None}, "hidden_size is empty"),
    ],
)
def test_impossible_sizes_of_a_description_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    _, folder = llama(tmp_path / "hf")
    ours = convert(folder, tmp_path / "ours")
    description = json.loads((ours / "scimind.json").read_text())
    description["model"] |= change
    (ours / "scimind.json").write_text(json.dumps(description))
    with pytest.raises(CheckpointError, match=message):
        plan_conversion(ours, ConvertOptions(to="hf", allow_loss=True))
