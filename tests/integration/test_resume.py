"""A finetuning that is killed, damaged or overflows, and resumes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import pytest
import yaml

from scimind.checkpoint.finding import step_folders
from scimind.errors import CheckpointError, ConfigError, SciMindError
from scimind.train import FinetuneResult, evaluate, finetune
from tests.integration.test_finetune import ROOT, losses, make_config, read_table, write_records

STEPS, INTERVAL = 150, 7
SAME = 1e-5  # the losses of a resumed run; the table has six digits


def config_of(data: Path, output_dir: Path, keep: int = 3, **changes: Any) -> dict[str, Any]:
    """Returns a run with a checkpoint every few steps, scored now and then."""
    checkpoint = {"type": "CheckpointMonitor", "save_checkpoint_steps": INTERVAL, "keep_checkpoint_max": keep}
    usual: dict[str, Any] = {"runner_config__max_steps": STEPS, "eval_step_interval": 60, "callbacks": [checkpoint]}
    return make_config(data, output_dir, **{**usual, **changes})


def steps_kept(output_dir: Path) -> list[int]:
    return [int(folder.name.removeprefix("step_")) for folder in step_folders(output_dir / "checkpoint")]


def assert_same_run(output_dir: Path, whole: FinetuneResult) -> None:
    """Compares losses, learning rates and scores of all steps, and the last weights."""
    ours, theirs = read_table(output_dir), read_table(whole.output_dir)
    assert [row["step"] for row in ours] == [row["step"] for row in theirs]
    for name in ("loss", "learning_rate", "eval_loss", "eval_accuracy", "epoch"):
        values = [[float(row[name] or -1) for row in rows] for rows in (ours, theirs)]
        np.testing.assert_allclose(*values, rtol=0, atol=SAME, err_msg=name)
    weights = [
        ms.load_checkpoint(str(step_folders(folder / "checkpoint")[-1] / "model.ckpt"))
        for folder in (output_dir, whole.output_dir)
    ]
    for name, value in weights[1].items():
        np.testing.assert_allclose(weights[0][name].asnumpy(), value.asnumpy(), rtol=0, atol=SAME, err_msg=name)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(tmp_path_factory.mktemp("data") / "train.mindrecord")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    """An uninterrupted run; all its checkpoints are kept."""
    return finetune(config_of(data, tmp_path_factory.mktemp("whole") / "out", keep=STEPS))


def part_of(whole: FinetuneResult, output_dir: Path) -> list[Path]:
    """Copies a run with its last three checkpoints; returns these."""
    old = [folder.name for folder in step_folders(whole.output_dir / "checkpoint")[:-3]]
    shutil.copytree(whole.output_dir, output_dir, ignore=shutil.ignore_patterns(*old))
    return step_folders(output_dir / "checkpoint")


def kill_after(config: Path, output_dir: Path, step: int) -> None:
    """Starts or resumes a run in a separate process, and kills it when the table has a step."""
    program = config.with_name("program.py")  # a file, so that its graphs are cached
    program.write_text(
        "import sys, yaml\nfrom scimind.train import finetune\n"
        "sys.exit(finetune(yaml.safe_load(open(sys.argv[1]))).exit_status)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(program), str(config)],
        cwd=output_dir.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    table = output_dir / "loss.csv"
    before = table.stat().st_ino if table.exists() else None  # of the last killed run
    try:
        end = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < end:
            if table.exists() and table.stat().st_ino != before and table.read_text().count("\n") > step + 1:
                break
            time.sleep(0.002)
        process.kill()
        shown, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL, shown


def test_a_run_that_is_killed_twice_has_the_losses_of_one_that_is_not(
    whole: FinetuneResult, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output_dir, file = tmp_path / "out", tmp_path / "config.yaml"
    config = config_of(data, output_dir, resume_training=True)  # also the first time, without a checkpoint
    file.write_text(yaml.safe_dump(config))
    numbers = random.Random(7)
    begun = 0
    for half in range(2):  # the second time, a run that has resumed
        kill_after(file, output_dir, numbers.randrange(half * 50 + 10, half * 50 + 40))
        assert steps_kept(output_dir), "it was killed before its first checkpoint"
        assert begun < steps_kept(output_dir)[-1] < STEPS
        begun = steps_kept(output_dir)[-1]
    capfd.readouterr()
    config["eval_answers"] = 4  # which must not change a resumed run either
    result = finetune(config)
    shown = capfd.readouterr().out
    assert f"resuming from {output_dir / 'checkpoint' / f'step_{begun:06d}'}" in shown
    assert "  4 answers: " in shown
    assert f"training steps {begun + 1} to {STEPS}" in shown
    assert (result.first_step, result.steps) == (begun, STEPS)
    assert_same_run(output_dir, whole)
    for name in ("first_evaluation", "best_evaluation", "last_evaluation"):
        ours, theirs = asdict(getattr(result, name)), asdict(getattr(whole, name))
        by_modality = ours.pop("losses"), theirs.pop("losses")
        if name != "first_evaluation":  # which comes from the table of the first process, without them
            assert by_modality[0] == pytest.approx(by_modality[1], abs=SAME), name
        assert ours.pop("parts") == theirs.pop("parts") == {}, name  # one file of evaluations has no parts
        assert set(ours.pop("answers")) == (set() if name == "first_evaluation" else {"bleu2", "cut"})
        assert theirs.pop("answers") == {}
        assert ours == pytest.approx(theirs, abs=SAME), name
    assert result.best_step == whole.best_step
    assert not [path for path in (output_dir / "checkpoint").iterdir() if path.name.startswith(".")]
    # Once more: nothing is left to do, and nothing changes.
    again = finetune(config)
    assert "nothing left to do" in capfd.readouterr().out
    assert (again.steps, again.checkpoint) == (STEPS, result.checkpoint)
    assert again.last_loss == pytest.approx(result.last_loss, abs=SAME)
    assert_same_run(output_dir, whole)


def test_damaged_checkpoints_are_reported_and_the_one_before_is_used(
    whole: FinetuneResult, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output_dir = tmp_path / "out"
    good, flipped, cut = part_of(whole, output_dir)
    file = cut / "model.ckpt"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    content = bytearray((flipped / "optimizer.ckpt").read_bytes())
    content[len(content) // 3] ^= 16
    (flipped / "optimizer.ckpt").write_bytes(content)
    result = finetune(config_of(data, output_dir, resume_training=True))
    shown = capfd.readouterr().out
    assert f"skipping {cut}: it is damaged, model.ckpt has" in shown
    assert f"skipping {flipped}: it is damaged, optimizer.ckpt has changed" in shown
    assert result.first_step == int(good.name.removeprefix("step_"))
    assert_same_run(output_dir, whole)
    aside = output_dir / "earlier" / "1" / "checkpoint"
    assert sorted(path.name for path in aside.iterdir()) == [flipped.name, cut.name]
    # Damaged weights are not used in other ways either.
    with pytest.raises(CheckpointError, match="model.ckpt has .* bytes, .* were written"):
        finetune(config_of(data, tmp_path / "other", load_checkpoint=str(aside / cut.name)))


def test_the_last_evaluation_is_made_if_a_signal_prevented_it(
    whole: FinetuneResult, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run of fewer steps, whose last checkpoint was written without a score."""
    output_dir = tmp_path / "out"
    last = part_of(whole, output_dir)[-2]
    changes = {"runner_config__max_steps": int(last.name.removeprefix("step_")), "resume_training": last.name}
    result = finetune(config_of(data, output_dir, **changes))
    assert "nothing left to do" in capfd.readouterr().out
    score = evaluate(config_of(data, tmp_path / "score", run_mode="eval", load_checkpoint=str(last)))
    assert result.last_evaluation is not None
    assert result.last_evaluation.loss == pytest.approx(score["loss"], abs=SAME)
    row = read_table(output_dir)[-1]
    assert (row["step"], float(row["eval_loss"])) == (str(result.steps), pytest.approx(score["loss"], abs=SAME))


def test_weights_alone_do_not_resume_a_run(whole: FinetuneResult, data: Path, tmp_path: Path) -> None:
    """The twin: without optimizer, schedule and position the losses differ."""
    third = step_folders(whole.output_dir / "checkpoint")[2]
    finetune(config_of(data, tmp_path / "out", load_checkpoint=str(third), runner_config__stop_step=5, do_eval=False))
    begun = 3 * INTERVAL
    assert np.abs(np.subtract(losses(tmp_path / "out"), losses(whole.output_dir)[begun : begun + 5])).max() > 1e-2


def test_another_run_is_refused(whole: FinetuneResult, data: Path, tmp_path: Path) -> None:
    changes: dict[str, tuple[str, dict[str, Any]]] = {
        "batch": ("has 16 records; set runner_config.global_batch_size to 8", {"runner_config__batch_size": 16}),
        "seed": ("seed is 4; set it to 3", {"seed": 4}),
        "records": ("train_dataset has 40 records; give the data that has 64", {}),
    }
    few = write_records(tmp_path / "few" / "train.mindrecord", count=40)
    for name, (message, change) in changes.items():
        config = config_of(
            few if name == "records" else data,
            tmp_path / "out",
            load_checkpoint=str(whole.output_dir),
            resume_training=True,
            **change,
        )
        with pytest.raises(ConfigError, match=message) as caught:
            finetune(config)
        assert "\n" not in str(caught.value)


def test_a_loss_that_is_not_a_number_ends_the_run_with_the_last_good_checkpoint(
    whole: FinetuneResult, data: Path, tmp_path: Path
) -> None:
    """An excessive learning rate spoils the weights at the first step of a resumed run."""
    output_dir = tmp_path / "out"
    good = part_of(whole, output_dir)[0]
    config = config_of(
        data, output_dir, resume_training=good.name, lr_schedule__learning_rate=1e30, lr_schedule__lr_end=1e29
    )
    with pytest.raises(SciMindError, match=f"the loss is nan; last good checkpoint: .*{good.name}; lower") as caught:
        finetune(config)
    assert "\n" not in str(caught.value)
    assert read_table(output_dir)[-1]["loss"] == "nan"
    assert step_folders(output_dir / "checkpoint") == [good]


def test_float16_overflows_are_skipped_and_the_scale_continues(data: Path, tmp_path: Path) -> None:
    """The loss scale starts so high that float16 gradients overflow, and is halved until they do not."""
    first, second = tmp_path / "first", tmp_path / "second"
    changes = {
        "runner_config__max_steps": 24,
        "do_eval": False,
        "model__model_config__compute_dtype": "float16",
        "runner_wrapper__scale_sense": {
            "type": "DynamicLossScaleUpdateCell",
            "loss_scale_value": 2.0**28,
            "scale_factor": 2,
            "scale_window": 5,
        },
        "callbacks": [{"type": "CheckpointMonitor", "save_checkpoint_steps": 1, "keep_checkpoint_max": 24}],
    }
    whole = finetune(config_of(data, first, **changes))
    folders = step_folders(first / "checkpoint")
    weights = [ms.load_checkpoint(str(folder / "model.ckpt")) for folder in folders]
    states = [ms.load_checkpoint(str(folder / "optimizer.ckpt")) for folder in folders]
    scales = [float(state["scale_sense"].asnumpy().item()) for state in states]
    updates = [int(state["global_step"].asnumpy().item()) for state in states]
    skipped = [updates[0] == 0, *(before == after for before, after in zip(updates, updates[1:], strict=False))]
    assert skipped[0] and skipped[1] and not all(skipped)
    assert whole.skipped_steps == sum(skipped)
    for step in range(1, 24):
        same = all((weights[step][name].asnumpy() == weights[step - 1][name].asnumpy()).all() for name in weights[0])
        assert same is (skipped[step] or updates[step] == 1)  # the learning rate starts at 0
        assert scales[step] == scales[step - 1] / 2 if skipped[step] else scales[step] >= scales[step - 1]
    assert any(after > before for before, after in zip(scales, scales[1:], strict=False))  # it grew again
    # After resuming, the scale and its counters are unchanged.
    shutil.copytree(first, second)
    for folder in step_folders(second / "checkpoint")[13:]:
        shutil.rmtree(folder)
    result = finetune(config_of(data, second, **changes, resume_training=True))
    assert (result.first_step, result.skipped_steps) == (13, whole.skipped_steps)
    assert_same_run(second, whole)
    last = json.loads((second / "checkpoint" / "step_000024" / "training.json").read_text())
    assert last["skipped_steps"] == whole.skipped_steps
