"""Gates tuned on a tiny trained model, and that model finetuned with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scimind import cli
from scimind.checkpoint.finding import find_checkpoint
from scimind.config import RunConfig
from scimind.errors import CheckpointError, ConfigError
from scimind.experts.tuning.tune import TuneSettings, tune
from scimind.train import finetune
from tests.integration.test_finetune import SEQ_LENGTH, losses, make_config

SMILES = 2000  # ids from here on are SMILES in the built-in vocabulary
K = {"text": 6, "smiles": 2, "nucleotide": 2, "protein": 2}


def write_records(path: Path, count: int, seed: int) -> Path:
    """Writes text questions, and SMILES answers that follow from them."""
    from mindspore.mindrecord import FileWriter

    random = np.random.default_rng(seed)
    length, rows = SEQ_LENGTH + 1, []
    for _ in range(count):
        first, step = int(random.integers(3, 30)), int(random.integers(1, 3))
        ids = np.zeros(length, np.int32)
        ids[0], ids[1:9] = 1, first + step * np.arange(8)
        ids[9:21] = SMILES + (first + step * np.arange(12)) % 60
        labels = np.where((np.arange(length) >= 9) & (ids > 0), ids, -100).astype(np.int32)
        rows.append({"input_ids": ids, "labels": labels})
    writer = FileWriter(str(path), overwrite=True)
    writer.add_schema({name: {"type": "int32", "shape": [length]} for name in ("input_ids", "labels")}, "test")
    writer.write_raw_data(rows)
    writer.commit()
    return path


def config_of(data: Path, output: Path, **changes: Any) -> dict[str, Any]:
    sizes = {"model__model_config__num_layers": 2, "model__model_config__num_experts": 8}  # a gate in each layer
    config = make_config(data, output, do_eval=False, **sizes, **changes)
    config["model"]["model_config"].setdefault("experts_per_token", K)
    return config


def weights_at(path: Path) -> dict[str, np.ndarray]:
    import mindspore as ms

    return {name: value.asnumpy() for name, value in ms.load_checkpoint(str(find_checkpoint(path).weights)).items()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tune")
    return write_records(folder / "train.mindrecord", 128, 0), write_records(folder / "test.mindrecord", 20, 1)


@pytest.fixture(scope="module")
def trained(data: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("activation")
    result = finetune(
        config_of(data[0], output, model__model_config__router="activation", runner_config__max_steps=150)
    )
    assert result.last_loss < result.first_loss
    return output


@pytest.fixture(scope="module")
def tuned(data: tuple[Path, Path], trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("learned")
    config = RunConfig(config_of(data[0], output, load_checkpoint=str(trained)))
    config["model"]["model_config"]["dispatch"] = "grouped"
    tune(config, [data[0]], output, TuneSettings(steps=100, batch_size=8), eval_data=[data[1]])
    return output


def test_held_out_agreement_rises(tuned: Path) -> None:
    report = json.loads((tuned / "tuning.json").read_text(encoding="utf-8"))
    for name in ("text", "smiles"):
        before, after = (report[when]["mean_recall"][name] for when in ("before", "after"))
        assert before + 0.02 < after <= 1, name
        assert K[name] / 8 < after
    assert report["after"]["mean_recall"]["protein"] is None
    assert report["after"]["gate_loss"] < report["before"]["gate_loss"]
    # The answers' loss is only reported: it follows the agreement only in larger models, and is near zero here.
    assert all(report[when]["answer_loss"] > 0 for when in ("before", "after"))
    assert report["held_out_records"] == 20
    text = (tuned / "tuning.txt").read_text(encoding="utf-8")
    assert "router: learned" in text and "smiles" in text and "protein" not in text.split("To use it")[0]
    assert len(losses(tuned)) == 100 and (tuned / "loss.png").stat().st_size > 1000


def test_the_checkpoint_is_complete_and_only_gates_are_new(trained: Path, tuned: Path) -> None:
    before, after = weights_at(trained), weights_at(tuned)
    assert set(after) - set(before) == {f"model.layers.{i}.feed_forward.gate.weight" for i in range(2)}
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)
    described = find_checkpoint(tuned).description
    assert described["routing"]["router"] == "learned"
    assert described["training"]["gates"]["steps"] == 100


def test_tuning_continues_with_existing_gates(data: tuple[Path, Path], tuned: Path, tmp_path: Path) -> None:
    config = RunConfig(config_of(data[0], tmp_path, load_checkpoint=str(tuned)))
    # Without --eval-data a tenth is held out.
    result = tune(config, [data[0]], tmp_path, TuneSettings(steps=2, batch_size=8))
    first = json.loads((tuned / "tuning.json").read_text(encoding="utf-8"))
    assert result.held_out == 12
    assert result.before.gate_loss < 1.2 * first["after"]["gate_loss"]


def test_finetuning_with_the_router_trains_the_gates(data: tuple[Path, Path], tuned: Path, tmp_path: Path) -> None:
    changes = {
        "load_checkpoint": str(tuned),
        "model__model_config__router": "learned",
        "runner_config__max_steps": 20,
        "lr_schedule__learning_rate": 0.01,
    }
    config = config_of(data[0], tmp_path, **changes)
    config["model"]["model_config"].update(balance_weight=0.01, dispatch="grouped")
    finetune(config)
    found = losses(tmp_path)
    assert len(found) == 20
    assert np.mean(found[-5:]) < np.mean(found[:5])
    before, after = weights_at(tuned), weights_at(tmp_path)
    for name in before:
        if ".gate." in name:
            assert np.abs(after[name] - before[name]).max() > 1e-3, name


def test_weights_without_gates_are_refused(data: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    config = config_of(data[0], tmp_path, load_checkpoint=str(trained), model__model_config__router="learned")
    with pytest.raises(CheckpointError, match=r"2 missing: model.layers.0.feed_forward.gate.weight.*experts tune"):
        finetune(config)


def test_weights_with_gates_need_the_router(data: tuple[Path, Path], tuned: Path, tmp_path: Path) -> None:
    config = config_of(data[0], tmp_path, load_checkpoint=str(tuned), model__model_config__router="activation")
    with pytest.raises(CheckpointError, match="2 unexpected.*router to learned"):
        finetune(config)


def test_without_weights_or_data_nothing_starts(data: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    config = RunConfig(config_of(data[0], tmp_path))
    with pytest.raises(ConfigError, match="--load_checkpoint"):
        tune(config, [data[0]], tmp_path)
    config["load_checkpoint"] = str(trained)
    with pytest.raises(ConfigError, match="--data"):
        tune(config, [], tmp_path)


def test_a_mistake_on_the_command_line_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nano = Path(__file__).parents[2] / "configs" / "scimind_nano_finetune.yaml"
    words = ["experts", "tune", "--config", str(nano), "--data", "x", "--output", str(tmp_path), "--steps", "0"]
    assert cli.main(words) == 2
    assert "--steps (0) must be at least 1" in capsys.readouterr().err
    assert math.isclose(cli.parse(words).load_balance, 0)
