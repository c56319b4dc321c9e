"""MindSpore's automatic-parallel frontend accepts the strategies of every configuration for several cards.

Each is compiled for its first card, and for its last if that has other layers, unchanged except for fewer layers and
micro batches: one layer per pipeline stage and as many micro batches. Of configurations with the same layout, only one
is compiled. Nothing is computed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scimind.cli import main
from scimind.config import load_config
from tests.support.shared import ROOT

CONFIGS = ROOT / "configs"
SPREAD = sorted(path.name for path in CONFIGS.glob("*.yaml") if load_config(path)["use_parallel"])
ALIKE = {"scimind_7b_pretrain.yaml": "scimind_7b_finetune.yaml"}
COMPILED = [name for name in SPREAD if name not in ALIKE]
MODEL = "scimind_7b_finetune_910b_model4.yaml"
ON_TWO_CARDS = [
    "use_parallel=True",
    "parallel={parallel_mode: 1, full_batch: True}",
    "parallel_config={data_parallel: 1, model_parallel: 2, pipeline_stage: 1, vocab_emb_dp: False}",
]

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.platform != "linux", reason="tests/support/frontend.py needs Linux on x86-64"
)


def shorter(name: str) -> list[str]:
    """Returns the settings that make a configuration quick to compile."""
    stages = load_config(CONFIGS / name)["parallel_config"]["pipeline_stage"]
    return [f"model.model_config.num_layers={stages}", f"parallel_config.micro_batch_num={stages}"]


def cases() -> dict[str, dict[str, Any]]:
    """Returns all cases by name; one process compiles them one after another."""
    found: dict[str, dict[str, Any]] = {
        "plain": {"network": "products", "rank": 0, "strategy_file": "strategy.ckpt"},
        "plain, bad": {"network": "products", "rank": 0, "bad": "size"},
    }
    for name in COMPILED:
        config = load_config(CONFIGS / name)
        for rank in (0, config.devices - 1) if config["parallel_config"]["pipeline_stage"] > 1 else (0,):
            found[f"{name}, {rank}"] = {"config": str(CONFIGS / name), "rank": rank, "overrides": shorter(name)}
    found["predict"] = {
        "config": str(CONFIGS / "scimind_7b_predict.yaml"),
        "rank": 1,
        "overrides": ["model.model_config.num_layers=1", *ON_TWO_CARDS],
    }
    model = {"config": str(CONFIGS / MODEL), "rank": 0, "overrides": shorter(MODEL)}
    return {**found, "bad mask": {**model, "bad": "mask"}, "bad devices": {**model, "bad": "devices"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder in which all cases are compiled."""
    return tmp_path_factory.mktemp("frontend")


@pytest.fixture(scope="module")
def compiled(folder: Path) -> dict[str, dict[str, Any]]:
    """Returns the result of each case."""
    (folder / "cases.json").write_text(json.dumps(list(cases().values())))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LOG_MF_PATH": str(folder), "GLOG_v": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.compiled_step", "cases.json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(cases(), results, strict=True))


def test_the_frontend_is_at_work(compiled: dict[str, dict[str, Any]]) -> None:
    """It splits a plain weight as specified, and refuses to split three rows over four devices."""
    assert compiled["plain"]["layouts"]["weight"] == [[2, 16], [8, 16]]
    assert compiled["plain"]["collectives"]["AllReduce"] > 0
    assert compiled["plain, bad"]["error"]


@pytest.mark.parametrize("case", [name for name in cases() if name.split(",")[0] in COMPILED])
def test_configuration_is_accepted(compiled: dict[str, dict[str, Any]], case: str) -> None:
    """Its matrices are split as its parallel_config says, and moments are sharded over the model's replicas."""
    result, config = compiled[case], load_config(CONFIGS / case.split(",")[0])
    assert result["error"] == ""
    split, (hidden, neurons) = config["parallel_config"]["model_parallel"], (4096, 11008)
    sizes = {name: sizes for name, sizes in result["layouts"].items() if not name.startswith(("adam", "accu"))}
    matrices = {
        "feed_forward.w1.weight": [[neurons // split, hidden], [neurons, hidden]],
        "feed_forward.w3.weight": [[neurons // split, hidden], [neurons, hidden]],
        "feed_forward.w2.weight": [[hidden, neurons // split], [hidden, neurons]],
        "attention.wq.weight": [[hidden // split, hidden], [hidden, hidden]],
        "attention.wo.weight": [[hidden, hidden // split], [hidden, hidden]],
    }
    for ending, expected in matrices.items():
        found = [size for name, size in sizes.items() if name.endswith(ending)]
        assert found, ending
        assert all(size == expected for size in found), ending
    # Each matrix's gradient is added up where its moments are.
    assert result["collectives"]["ReduceScatter"] >= len([name for name in sizes if name.endswith("w1.weight")])
    assert result["collectives"]["AllGather"] > 0


@pytest.mark.parametrize("name", ALIKE)
def test_configuration_that_is_not_compiled_has_the_layout_of_one_that_is(name: str) -> None:
    one, other = load_config(CONFIGS / name), load_config(CONFIGS / ALIKE[name])
    for section in ("model", "parallel", "parallel_config", "recompute_config", "runner_wrapper", "optimizer"):
        assert one[section] == other[section]
    assert one["runner_config"]["batch_size"] == other["runner_config"]["batch_size"]


def test_first_and_last_stage_have_different_layers(compiled: dict[str, dict[str, Any]]) -> None:
    first, last = (compiled[f"scimind_7b_finetune.yaml, {rank}"]["layouts"] for rank in (0, 7))
    assert "model.tok_embeddings.embedding_weight" in first
    assert "lm_head.weight" in last


def test_predicting_with_blocks_of_a_cache_is_accepted(compiled: dict[str, dict[str, Any]]) -> None:
    result = compiled["predict"]
    assert result["error"] == ""
    assert result["layouts"]["model.layers.0.feed_forward.w1.weight"] == [[11008 // 2, 4096], [11008, 4096]]


@pytest.mark.parametrize("case", ["bad mask", "bad devices"])
def test_a_bad_strategy_in_the_routed_feed_forward_is_refused(compiled: dict[str, dict[str, Any]], case: str) -> None:
    assert compiled[case]["error"]


def read(file: Path) -> dict[str, np.ndarray]:
    import mindspore as ms

    return {name: value.asnumpy() for name, value in ms.load_checkpoint(str(file)).items()}


def test_a_checkpoint_is_split_by_a_strategy_and_merged_again(
    compiled: dict[str, dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    """Eight cards have the rows that the strategy assigns to them; swapping cards changes the checkpoint."""
    import mindspore as ms

    assert compiled["plain"]["error"] == ""
    names = ("weight", "moment1.weight", "moment2.weight")
    whole = {name: np.arange(128, dtype=np.float32).reshape(8, 16) + 1000 * i for i, name in enumerate(names)}
    saved, strategy = str(tmp_path / "whole.ckpt"), str(folder / "strategy.ckpt")
    ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)} for name, value in whole.items()], saved)
    cut, joined, swapped = (str(tmp_path / name) for name in ("cut", "joined", "swapped"))
    assert main(["convert", "--input", saved, "--output", cut, "--to-strategy", strategy]) == 0
    for rank in range(8):
        piece = read(tmp_path / "cut" / f"rank_{rank}" / f"checkpoint{rank}.ckpt")
        rows = slice(2 * (rank % 4), 2 * (rank % 4) + 2)  # two replicas of four parts
        assert all(np.array_equal(piece[name], whole[name][rows]) for name in names)
    assert main(["convert", "--input", cut, "--output", joined, "--from-strategy", strategy]) == 0
    result = read(tmp_path / "joined" / "rank_0" / "checkpoint0.ckpt")
    assert all(np.array_equal(result[name], whole[name]) for name in names)
    (tmp_path / "cut" / "rank_0").rename(tmp_path / "cut" / "spare")
    (tmp_path / "cut" / "rank_1").rename(tmp_path / "cut" / "rank_0")
    (tmp_path / "cut" / "spare").rename(tmp_path / "cut" / "rank_1")
    assert main(["convert", "--input", cut, "--output", swapped, "--from-strategy", strategy]) == 0
    result = read(tmp_path / "swapped" / "rank_0" / "checkpoint0.ckpt")
    assert not np.array_equal(result["weight"], whole["weight"])
