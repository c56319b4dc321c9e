"""The configurations next to a converted checkpoint: complete, valid for any context, and independent of its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scimind.checkpoint.finding import find_checkpoint
from scimind.config import load_config
from tests.unit.checkpoint.convert.support import convert, llama


@pytest.mark.parametrize("context", [16, 256, 8192])
def test_both_configurations_are_valid_for_any_context(tmp_path: Path, context: int) -> None:
    _, folder = llama(tmp_path / "hf", max_position_embeddings=context)
    made = convert(folder, tmp_path / "ours")
    predict = load_config(made / "predict.yaml")
    assert predict.seq_length == min(context, 4096)
    finetune = load_config(made / "finetune.yaml")
    assert (finetune.run_mode, finetune.device_target, finetune.seq_length) == ("finetune", "CPU", min(context, 512))
    assert predict.model_config["use_past"] is True and finetune.model_config["use_past"] is False
    assert finetune["load_checkpoint"] == predict["load_checkpoint"] == str(made)
    assert "On Ascend" in (made / "predict.yaml").read_text() and "On Ascend" in (made / "finetune.yaml").read_text()


def test_a_moved_folder_uses_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = llama(tmp_path / "hf")
    made = convert(folder, tmp_path / "ours")
    for file in made.glob("*.yaml"):
        assert str(tmp_path) not in file.read_text()
    moved = made.rename(tmp_path / "elsewhere")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("predict", "finetune"):
        for given in (moved / f"{name}.yaml", Path("..", "elsewhere", f"{name}.yaml")):
            config = load_config(given)
            assert find_checkpoint(config["load_checkpoint"]).weights == moved / "model.safetensors"
            assert config.at("processor.tokenizer.vocab_file") == str(moved / "tokenizer.model")
            assert Path(config["output_dir"]).parts[0] == "output"  # in the current folder


def test_the_types_are_those_of_the_cpu(tmp_path: Path) -> None:
    _, folder = llama(tmp_path / "hf")
    tree = yaml.safe_load((convert(folder, tmp_path / "ours") / "predict.yaml").read_text())
    assert tree["load_checkpoint"] == "here:." and "max_new_tokens" not in tree["generation"]
    assert tree["model"]["model_config"]["compute_dtype"] == "float32"
