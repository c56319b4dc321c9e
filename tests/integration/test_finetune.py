"""Finetuning from a configuration to a checkpoint, on the CPU, with a tiny model and data made here."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from scimind.errors import CheckpointError, ConfigError, DataError, SciMindError
from scimind.train import FinetuneResult, evaluate, finetune

SEQ_LENGTH, VOCAB_SIZE, STEPS = 24, 2240, 30
ANSWERS = 20
ROOT = Path(__file__).resolve().parents[2]


def write_records(
    path: Path,
    count: int = 64,
    length: int = SEQ_LENGTH + 1,
    highest: int = 40,
    seed: int = 0,
    *,
    is_uneven: bool = False,
) -> Path:
    """Writes easy records: questions of three tokens, and answers that count upwards, of equal length or not."""
    from mindspore.mindrecord import FileWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        first = int(random.integers(3, 12))
        ids = (first + np.arange(length)).clip(max=highest).astype(np.int32)
        ids[0], ids[-4:] = 1, 0
        labels = ids.copy()
        labels[:4], labels[-4:] = -100, -100
        if is_uneven:
            labels[int(random.integers(6, length)) :] = -100
        rows.append({"input_ids": ids, "labels": labels})
    writer = FileWriter(str(path), overwrite=True)
    writer.add_schema({name: {"type": "int32", "shape": [length]} for name in ("input_ids", "labels")}, "test")
    writer.write_raw_data(rows)
    writer.commit()
    return path


def make_config(data: Path, output_dir: Path, **changes: Any) -> dict[str, Any]:
    """Returns a configuration in MindFormers' schema; `changes` have dotted names, with `__` for the dot."""
    loader = {"type": "MindDataset", "dataset_dir": str(data), "shuffle": True}
    config: dict[str, Any] = {
        "run_mode": "finetune",
        "seed": 3,
        "output_dir": str(output_dir),
        "load_checkpoint": "",
        "do_eval": True,
        "eval_step_interval": 20,
        "eval_answers": 0,
        "train_dataset": {"data_loader": dict(loader), "input_columns": ["input_ids", "labels"]},
        "eval_dataset": {"data_loader": {**loader, "shuffle": False}},
        "runner_config": {"epochs": 1, "max_steps": STEPS, "batch_size": 8, "sink_mode": False},
        "runner_wrapper": {"type": "SciMindTrainOneStepCell", "use_clip_grad": True, "scale_sense": 1.0},
        "optimizer": {"type": "AdamW", "betas": [0.9, 0.999], "eps": 1.0e-8, "weight_decay": 0.0},
        "lr_schedule": {
            "type": "CosineWithWarmUpLR",
            "learning_rate": 0.02,
            "lr_end": 0.0,
            "warmup_ratio": 0.1,
            "total_steps": -1,
        },
        "callbacks": [
            {"type": "MFLossMonitor", "per_print_times": 10},
            {"type": "CheckpointMonitor", "save_checkpoint_steps": 10, "keep_checkpoint_max": 2},
        ],
        "context": {"mode": 0, "device_target": "CPU", "device_id": 0, "runtime_num_threads": 1},
        "model": {
            "arch": {"type": "SciMindForCausalLM"},
            "model_config": {
                "type": "SciMindConfig",
                "seq_length": SEQ_LENGTH,
                "hidden_size": 32,
                "num_layers": 1,
                "num_heads": 2,
                "intermediate_size": 64,
                "vocab_size": VOCAB_SIZE,
                "compute_dtype": "float32",
                "param_init_type": "float32",
                "use_flash_attention": False,
                "fused_rms_norm": False,
                "use_rope_slice": True,
                "num_experts": 4,
                "router": "modality",
            },
        },
        "processor": {"tokenizer": {"type": "SciMindTokenizer"}},
    }
    for name, value in changes.items():
        *path, key = name.split("__")
        target = config
        for part in path:
            target = target[part]
        target[key] = value
    return config


def read_table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "loss.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def losses(folder: Path) -> list[float]:
    return [float(row["loss"]) for row in read_table(folder) if row["loss"]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(tmp_path_factory.mktemp("data") / "train.mindrecord")


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    return finetune(make_config(data, tmp_path_factory.mktemp("run") / "out", eval_answers=ANSWERS))


def test_the_loss_falls_and_answers_are_learnt(trained: FinetuneResult) -> None:
    assert trained.steps == trained.total_steps == STEPS
    assert trained.exit_status == 0
    assert trained.first_loss == pytest.approx(math.log(VOCAB_SIZE), rel=0.05)
    assert trained.last_loss < 0.5 * trained.first_loss
    assert trained.first_evaluation and trained.last_evaluation and trained.best_evaluation
    assert trained.first_evaluation.accuracy < 0.1
    assert trained.last_evaluation.accuracy > 0.5
    assert trained.best_evaluation.loss <= trained.last_evaluation.loss
    # The answers' tokens, counted by hand: 64 records, labels from the fourth position to the fourth from the end.
    assert trained.last_evaluation.tokens == 64 * (SEQ_LENGTH + 1 - 8)


def test_the_run_writes_its_files(trained: FinetuneResult) -> None:
    folder = trained.output_dir
    rows = read_table(folder)
    assert [int(row["step"]) for row in rows] == list(range(STEPS + 1))
    assert [row["step"] for row in rows if row["eval_loss"]] == ["0", "20", "30"]
    assert float(rows[8]["epoch"]) == 1.0
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "versions.json").read_text())["mindspore"]
    resolved = yaml.safe_load((folder / "resolved_config.yaml").read_text())
    assert resolved["model"]["model_config"]["modality_ranges"]["protein"]
    assert json.loads((folder / "result.json").read_text())["steps"] == STEPS
    assert "mindformers" in (folder / "log" / "finetune.log").read_text()
    assert sorted(path.name for path in (folder / "checkpoint").iterdir()) == ["step_000020", "step_000030"]
    assert trained.checkpoint == folder / "checkpoint" / "step_000030"
    assert {path.name for path in trained.checkpoint.iterdir()} == {
        *("model.ckpt", "optimizer.ckpt", "scimind.json", "training.json", "checksums.json")
    }
    description = json.loads((trained.checkpoint / "scimind.json").read_text())
    assert description["vocab_size"] == VOCAB_SIZE
    assert description["routing"]["num_experts"] == 4
    assert description["training"]["step"] == STEPS
    assert description["tokenizer_fingerprint"]


def test_the_schedule_ends_with_the_last_step(trained: FinetuneResult) -> None:
    rates = [float(row["learning_rate"]) for row in read_table(trained.output_dir)[1:]]
    assert max(rates) == pytest.approx(0.02)
    assert rates.index(max(rates)) == 3  # warm-up: a tenth of 30 steps
    assert rates[-1] < 0.0005


def test_evaluations_generate_answers_to_the_same_questions(trained: FinetuneResult) -> None:
    rows = [row for row in read_table(trained.output_dir) if row["eval_loss"]]
    assert [row["step"] for row in rows] == ["0", "20", "30"]
    assert list(rows[0])[-2:] == ["answers_bleu2", "answers_cut"]
    # The tokens of the data are no text, and its answers have no end: only the limit can end them.
    assert {row["answers_cut"] for row in rows} == {"1.000000"}
    log = (trained.output_dir / "log" / "finetune.log").read_text()
    assert f"evaluations generate {ANSWERS} answers ({ANSWERS} text) of at most 20 tokens" in log
    assert log.count(f"  {ANSWERS} answers: BLEU-2 0.000, 100 % cut off") == 3
    warnings = [line for line in log.splitlines() if "warning:" in line]
    assert len(warnings) == 1 and "20 of 20 generated answers do not end within 20 tokens" in warnings[0]
    assert "have no end token either; prepare the data again" in warnings[0]


def seal_of(checkpoint: Path | None) -> list[dict[str, Any]]:
    """Returns sizes and checksums of a checkpoint's weights and optimizer state."""
    assert checkpoint is not None
    seal = json.loads((checkpoint / "checksums.json").read_text())
    return [seal["model.ckpt"], seal["optimizer.ckpt"]]


def test_a_seed_gives_the_same_losses(
    trained: FinetuneResult, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    same = finetune(make_config(data, tmp_path / "same"))
    shown = capfd.readouterr()
    assert losses(tmp_path / "same") == losses(trained.output_dir)
    # To the bit, although the other run generates answers.
    assert same.last_loss == trained.last_loss
    assert trained.checkpoint is not None
    assert seal_of(same.checkpoint) == seal_of(trained.checkpoint)
    assert seal_of(same.checkpoint) != seal_of(trained.checkpoint.with_name("step_000020"))
    # The console has what the user needs, and no library output.
    assert "step 30/30  loss" in shown.out
    assert "tokens/s" in shown.out
    assert f"checkpoint: {tmp_path / 'same' / 'checkpoint' / 'step_000030'}" in shown.out
    assert not any(word in shown.out + shown.err for word in ("WARNING", "INFO", "mindformers/"))


def test_parts_of_a_step_are_weighted_by_their_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uneven = write_records(tmp_path / "data" / "train.mindrecord", is_uneven=True)
    whole = {"runner_config__stop_step": 8, "do_eval": False}
    finetune(make_config(uneven, tmp_path / "whole", **whole))
    parts = {**whole, "runner_config__batch_size": 2, "runner_config__global_batch_size": 8}
    finetune(make_config(uneven, tmp_path / "parts", **parts))
    expected = losses(tmp_path / "whole")
    assert losses(tmp_path / "parts") == pytest.approx(expected, abs=1e-5)

    # The twin: weighted by positions, as if all answers had the same length.
    from scimind.train.step import SciMindTrainOneStepCell

    build = SciMindTrainOneStepCell.__init__

    def build_with_equal_weights(self: SciMindTrainOneStepCell, *args: Any, **settings: Any) -> None:
        build(self, *args, **{**settings, "ignore_token_id": -1})

    monkeypatch.setattr(SciMindTrainOneStepCell, "__init__", build_with_equal_weights)
    monkeypatch.setenv("MS_COMPILER_CACHE_ENABLE", "0")  # the graph above is a different one
    finetune(make_config(uneven, tmp_path / "equal", **parts))
    assert losses(tmp_path / "equal") != pytest.approx(expected, abs=1e-3)


def test_a_checkpoint_scores_as_it_did_in_training(trained: FinetuneResult, data: Path, tmp_path: Path) -> None:
    import mindspore as ms

    assert trained.last_evaluation
    scores = evaluate(make_config(data, tmp_path / "eval", load_checkpoint=str(trained.output_dir)))
    assert scores["loss"] == pytest.approx(trained.last_evaluation.loss, rel=1e-5)
    assert scores["token_accuracy"] == trained.last_evaluation.accuracy
    assert scores["perplexity"] == pytest.approx(math.exp(scores["loss"]))
    of_modality = {name: scores[f"perplexity_{name}"] for name in trained.last_evaluation.losses}
    assert of_modality == pytest.approx(
        {name: math.exp(loss) for name, loss in trained.last_evaluation.losses.items()}, rel=1e-4
    )
    assert of_modality == {"text": scores["perplexity"]}  # the answers in this data are text

    # The twin: slightly different weights, here in MindSpore's other format, have another score.
    assert trained.checkpoint
    weights = ms.load_checkpoint(str(trained.checkpoint / "model.ckpt"))
    weights["lm_head.weight"].set_data(weights["lm_head.weight"] * 1.1)
    changed = tmp_path / "changed.safetensors"
    entries = [{"name": name, "data": value} for name, value in weights.items()]
    ms.save_checkpoint(entries, str(changed), format="safetensors")
    assert (
        abs(evaluate(make_config(data, tmp_path / "eval", load_checkpoint=str(changed)))["loss"] - scores["loss"])
        > 1e-3
    )


def test_training_starts_from_weights_and_sets_the_earlier_run_aside(
    trained: FinetuneResult, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained.output_dir, tmp_path / "run")
    before = (tmp_path / "run" / "loss.csv").read_text()
    config = make_config(
        data,
        tmp_path / "run",
        load_checkpoint=str(trained.checkpoint),
        runner_config__max_steps=2,
        callbacks=[{"type": "SciMindCheckpoint", "checkpoint_format": "safetensors", "save_optimizer": False}],
    )
    result = finetune(config)
    assert trained.last_evaluation and result.first_evaluation
    assert result.first_evaluation.loss == pytest.approx(trained.last_evaluation.loss, rel=1e-5)
    assert (tmp_path / "run" / "earlier" / "1" / "loss.csv").read_text() == before
    assert result.checkpoint
    assert {path.name for path in result.checkpoint.iterdir()} == {
        *("model.safetensors", "scimind.json", "training.json", "checksums.json")
    }


def test_named_files_are_evaluated_separately(data: Path, trained: FinetuneResult, tmp_path: Path) -> None:
    other = write_records(tmp_path / "other.mindrecord", count=24, highest=15, seed=5, is_uneven=True)
    config = make_config(data, tmp_path / "run", load_checkpoint=str(trained.output_dir), runner_config__stop_step=1)
    config["eval_dataset"]["data_loader"] = {
        "type": "MindDataset",
        "dataset_files": {"a": str(data), "b": [str(other)]},
    }
    result = finetune(config)
    score, known = result.first_evaluation, trained.last_evaluation
    assert score and known and list(score.parts) == ["a", "b"]
    alone = make_config(other, tmp_path / "eval", load_checkpoint=str(trained.output_dir))
    b = evaluate(alone)
    assert score.parts["a"].loss == pytest.approx(known.loss, rel=1e-5)
    assert score.parts["b"].loss == pytest.approx(b["loss"], rel=1e-5)
    assert (score.parts["a"].tokens, score.parts["b"].tokens) == (known.tokens, b["tokens"])
    assert abs(known.loss - b["loss"]) > 0.01  # swapped files would be noticed
    tokens = known.tokens + b["tokens"]
    assert score.loss == pytest.approx((known.loss * known.tokens + b["loss"] * b["tokens"]) / tokens, rel=1e-5)
    rows = [row for row in read_table(result.output_dir) if row["eval_loss"]]
    for name in ("a", "b"):
        assert float(rows[0][f"eval_loss {name}"]) == pytest.approx(score.parts[name].loss, abs=1e-6)
        assert float(rows[0][f"eval_accuracy {name}"]) == pytest.approx(score.parts[name].accuracy, abs=1e-6)
    parts = json.loads((result.output_dir / "result.json").read_text())["last_evaluation"]["parts"]
    assert parts.keys() == {"a", "b"}


def test_mistakes_are_reported_before_training(trained: FinetuneResult, data: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut" / "train.mindrecord"
    cut.parent.mkdir()
    cut.write_bytes(data.read_bytes()[:1000])
    cut.with_name("train.mindrecord.db").write_bytes(data.with_name("train.mindrecord.db").read_bytes())
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    wide = write_records(tmp_path / "wide" / "train.mindrecord", highest=30)
    (wide.parent / "train.summary.json").write_text(
        json.dumps({"files": [wide.name], "tokenizer": {"fingerprint": "another"}})
    )
    ranges = {"smiles": [10, 20], "nucleotide": [20, 30], "protein": [30, 40]}
    dataset = "train_dataset__data_loader__dataset_dir"
    model = "model__model_config__"
    cases: list[tuple[type[SciMindError], str, dict[str, Any]]] = [
        (ConfigError, r"train_dataset\.data_loader\.dataset_dir is missing", {dataset: ""}),
        (ConfigError, r"max_steps \(-3\) must be", {"runner_config__max_steps": -3}),
        (ConfigError, r"sink_mode \(True\) needs an Ascend", {"runner_config__sink_mode": True}),
        (
            ConfigError,
            r"steps \(3\) x workers",
            {"runner_config__gradient_accumulation_steps": 3, "runner_config__global_batch_size": 8},
        ),
        (ConfigError, "vocab_size .* is not the tokenizer's", {f"{model}vocab_size": 1024}),
        (ConfigError, "modality_ranges .* are not the tokenizer's", {f"{model}modality_ranges": ranges}),
        (ConfigError, r"runner_config\.batch_sizes is not a setting", {"runner_config__batch_sizes": 4}),
        (DataError, "does not exist", {dataset: str(tmp_path / "absent.mindrecord")}),
        (DataError, "contains no .mindrecord file", {dataset: str(tmp_path / "empty")}),
        (DataError, "cannot be read as MindRecord", {dataset: str(cut)}),
        (DataError, "25 tokens and 25 labels, seq_length .16. needs 17", {f"{model}seq_length": 16}),
        (DataError, "64 records, fewer than batch_size .128.", {"runner_config__batch_size": 128}),
        (DataError, "prepared with a tokenizer .* other than", {dataset: str(wide)}),
        (CheckpointError, "does not exist", {"load_checkpoint": str(tmp_path / "absent.ckpt")}),
        (CheckpointError, "holds no weights", {"load_checkpoint": str(tmp_path / "empty")}),
        (CheckpointError, "hidden_size is 32, the model's is 64", {f"{model}hidden_size": 64}),
        (
            SciMindError,
            "cannot be written .*; choose another --output_dir",
            {"output_dir": str(tmp_path / "file" / "out")},
        ),
    ]
    for kind, message, changes in cases:
        output_dir = Path(changes.pop("output_dir", tmp_path / "out"))
        config = make_config(data, output_dir, **{"load_checkpoint": str(trained.checkpoint), **changes})
        untouched = copy.deepcopy(config)
        with pytest.raises(kind, match=message) as caught:
            finetune(config)
        assert "\n" not in str(caught.value)
        assert config == untouched
    assert not (tmp_path / "out" / "checkpoint").exists()


def test_a_token_beyond_the_vocabulary_is_found(data: Path, tmp_path: Path) -> None:
    beyond = write_records(tmp_path / "beyond.mindrecord")
    config = make_config(beyond, tmp_path / "out")
    del config["processor"]
    config["model"]["model_config"]["vocab_size"] = 20
    with pytest.raises(DataError, match=r"token id \d+, model.model_config.vocab_size \(20\) allows 0 to 19"):
        finetune(config)


def test_a_checkpoint_without_description_is_compared_name_by_name(
    trained: FinetuneResult, data: Path, tmp_path: Path
) -> None:
    assert trained.checkpoint
    bare = tmp_path / "bare.ckpt"
    bare.write_bytes((trained.checkpoint / "model.ckpt").read_bytes())
    config = make_config(data, tmp_path / "out", load_checkpoint=str(bare), model__model_config__num_layers=2)
    with pytest.raises(CheckpointError, match="9 missing: model.layers.1"):
        finetune(config)
    config = make_config(data, tmp_path / "out", load_checkpoint=str(bare), model__model_config__intermediate_size=32)
    with pytest.raises(CheckpointError, match=r"3 misshapen: .*w1.weight \[64, 32\] \(model: \[32, 32\]\)"):
        finetune(config)


def test_an_interrupted_run_names_its_checkpoint_and_draws_the_curve(data: Path, tmp_path: Path) -> None:
    config = make_config(data, tmp_path / "out", runner_config__max_steps=1_000_000, do_eval=False)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    program = (
        "import sys, yaml; from scimind.train import finetune; "
        "sys.exit(finetune(yaml.safe_load(open(sys.argv[1]))).exit_status)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "config.yaml")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        end = time.monotonic() + 90
        while time.monotonic() < end and not (tmp_path / "out" / "checkpoint" / "step_000010").exists():
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        shown, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, shown
    last = sorted((tmp_path / "out" / "checkpoint").iterdir())[-1]
    assert f"last good checkpoint: {last}" in shown
    assert (tmp_path / "out" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert len(losses(tmp_path / "out")) == int(last.name.split("_")[1])
    # Nothing is left in the folder from which the run was started.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "out"]


def test_a_loss_that_is_not_finite_ends_the_run_and_is_not_kept(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = make_config(data, tmp_path / "out", lr_schedule__learning_rate=1e30, do_eval=False)
    with pytest.raises(SciMindError, match="step 3: the loss is nan; last good checkpoint: none .* lower lr_schedule"):
        finetune(config)
    assert "last good checkpoint: none was written" in capfd.readouterr().out
    assert read_table(tmp_path / "out")[-1]["loss"] == "nan"
    assert (tmp_path / "out" / "loss.png").exists()
