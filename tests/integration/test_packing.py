"""Packed records from `scimind prepare --pack` to a finetuned model and its scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from scimind.cli import main
from scimind.errors import DataError
from scimind.train import evaluate, finetune
from tests.integration.test_finetune import losses, make_config
from tests.support.shared import ROOT

SEQ_LENGTH, STEPS = 256, 12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with the sample's test records, `packed` and `plain`."""
    folder = tmp_path_factory.mktemp("data")
    sample = ROOT / "LPM-24-data" / "smiles2text" / "test.json"
    arguments = ["prepare", "--task", "conversation", "--input", str(sample), "--seq-length", str(SEQ_LENGTH)]
    assert main([*arguments, "--output", str(folder / "plain"), "--workers", "1"]) == 0
    assert main([*arguments, "--output", str(folder / "packed"), "--pack"]) == 0
    return folder


def config_of(data: Path, kind: str, output: Path, **changes):
    config = make_config(data / kind / "test.mindrecord", output, **changes)
    config["runner_config"]["max_steps"] = STEPS
    config["model"]["model_config"].update(seq_length=SEQ_LENGTH, packed=kind == "packed")
    return config


def test_packed_records_are_learned_and_scored(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trained = finetune(config_of(data, "packed", tmp_path / "run"))
    shown = capfd.readouterr().out
    assert "rows of packed records" in shown
    assert losses(tmp_path / "run")[-1] < 0.8 * losses(tmp_path / "run")[0]
    weights = str(trained.checkpoint)
    packed, plain = (
        evaluate(config_of(data, kind, tmp_path / kind, load_checkpoint=weights)) for kind in ("packed", "plain")
    )
    assert trained.last_evaluation is not None
    assert packed["records"] == plain["records"] == trained.last_evaluation.records == 200
    assert packed["tokens"] == plain["tokens"]
    assert packed["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    assert packed["token_accuracy"] == pytest.approx(plain["token_accuracy"], abs=2 / plain["tokens"])


def test_a_model_that_lets_records_attend_to_each_other_is_refused(data: Path, tmp_path: Path) -> None:
    for changes in ({"eval_dataset": {"data_loader": {"type": "MindDataset", "dataset_dir": str(data / "plain")}}}, {}):
        config = config_of(data, "packed", tmp_path / "run", **changes)
        config["model"]["model_config"]["packed"] = False
        with pytest.raises(DataError, match=r"prepared with --pack, and model.model_config.packed \(False\).*to True"):
            finetune(config)
        with pytest.raises(DataError, match="prepared with --pack"):
            loader = {**config["train_dataset"]["data_loader"], "shuffle": False}
            evaluate(config | {"eval_dataset": {"data_loader": loader}})
