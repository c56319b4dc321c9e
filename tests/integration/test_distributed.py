"""Several workers under msrun on the CPU, started by scripts/run_distribute.sh as a user starts them."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import yaml

from scimind.checkpoint.finding import step_folders
from scimind.cli import main as scimind
from scimind.cli.run_scimind import main as run_scimind
from scimind.train import FinetuneResult, finetune
from tests.integration.test_finetune import losses, make_config, write_records

ROOT = Path(__file__).resolve().parents[2]
NANO = ROOT / "configs" / "scimind_nano_finetune.yaml"
SECONDS_TO_END = 30
STEPS = 240
UNEVEN = {
    "runner_config__batch_size": 3,
    "runner_config__global_batch_size": 12,
    "runner_config__max_steps": STEPS,
    "train_dataset__drop_remainder": False,
    "do_eval": False,
}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "SCIMIND_PYTHON": sys.executable}


def launch(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(ROOT / "scripts" / "run_distribute.sh"), *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )


@contextmanager
def running(
    folder: Path, records: Path, *, workers: int = 2, trains: bool = True, **changes: object
) -> Iterator[tuple[subprocess.Popen[str], dict[int, psutil.Process]]]:
    """Starts workers on a long training; yields the script and its workers by rank, once they train or at once."""
    changes = {"runner_config__max_steps": 1_000_000, "do_eval": False, **changes}
    write_config(folder / "config.yaml", records, folder / "out", **changes)
    script = subprocess.Popen(
        ["bash", str(ROOT / "scripts" / "run_distribute.sh"), "--config", "config.yaml", "--workers", str(workers)],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    started: list[psutil.Process] = []
    try:
        table = folder / "out" / "loss.csv"
        wait_until(lambda: not trains or (table.exists() and len(losses(folder / "out")) > 3), script)
        wait_until(lambda: sorted(workers_of(script)) == list(range(workers)), script)
        started = psutil.Process(script.pid).children(recursive=True)
        yield script, workers_of(script)
        # Nothing is left of msrun, the scheduler and the workers.
        assert len(started) >= workers + 2
        assert [process for process in started if process.is_running()] == []
    finally:
        for process in (*started, psutil.Process(script.pid) if script.poll() is None else None):
            with suppress(psutil.Error, AttributeError):
                process.kill()
        script.wait()


def workers_of(script: subprocess.Popen[str]) -> dict[int, psutil.Process]:
    """Returns those of a job's workers that already run Python, by rank."""
    found = {}
    for process in psutil.Process(script.pid).children(recursive=True):
        with suppress(psutil.Error):
            environment = process.environ()
            if environment.get("MS_ROLE") == "MS_WORKER" and "scimind.cli.run_scimind" in process.cmdline():
                found[int(environment["MS_NODE_ID"])] = process
    return found


def wait_until(condition, script: subprocess.Popen[str], seconds: float = 120) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert script.poll() is None, script.stderr and script.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)


def end_of(script: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = script.communicate(timeout=SECONDS_TO_END)
    return script.returncode, errors


def write_config(path: Path, data: Path, output: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump(make_config(data, output, **changes)))
    return path


def evaluations(folder: Path) -> list[tuple[float, float]]:
    with open(folder / "loss.csv", newline="", encoding="utf-8") as file:
        return [
            (float(row["eval_loss"]), float(row["eval_accuracy"])) for row in csv.DictReader(file) if row["eval_loss"]
        ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """61 records of different lengths, which fill neither batches nor workers' shares evenly."""
    return write_records(tmp_path_factory.mktemp("data") / "train.mindrecord", count=61, seed=2, is_uneven=True)


@pytest.fixture(scope="module")
def whole(records: Path, tmp_path_factory: pytest.TempPathFactory) -> FinetuneResult:
    """A training by one worker to which those of several workers are compared."""
    changes = {**UNEVEN, "runner_config__batch_size": 12}  # in one part
    return finetune(make_config(records, tmp_path_factory.mktemp("whole") / "out", **changes))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 48 records of the sample."""
    folder = tmp_path_factory.mktemp("sample")
    records = json.loads((ROOT / "LPM-24-data" / "text2smiles" / "train.json").read_text())[:48]
    (folder / "records.json").write_text(json.dumps(records))
    files = ["--input", str(folder / "records.json"), "--output", str(folder), "--name", "train"]
    assert scimind(["prepare", "--task", "conversation", "--seq_length", "160", "--workers", "1", *files]) == 0
    return folder / "train.mindrecord"


def test_two_workers_have_the_losses_of_one(sample: Path, tmp_path: Path) -> None:
    """The nano model, 30 steps of the same 16 records; scores of 40 records, which five batches of 8 do not divide."""
    options = [
        "--model.model_config.num_layers=1",  # instead of 4, which take four times as long to compile
        *("--train_dataset", str(sample), "--eval_dataset", str(sample)),
        *("--eval_dataset.data_loader.num_samples=40", "--runner_config.max_steps=30"),
        "--context.runtime_num_threads=1",  # several threads per worker would busily wait for each other
    ]
    two = launch("msrun", str(NANO), "[0,2]", "finetune", *options, "--output_dir", "two", cwd=tmp_path)
    assert two.returncode == 0, two.stderr
    assert "step 30/30  loss" in two.stdout
    assert "[INFO]" not in two.stdout
    # One worker is a job too.
    alone = launch("--config", str(NANO), *options, "--output_dir", "one", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    one = losses(tmp_path / "one")
    assert len(one) == 30
    assert losses(tmp_path / "two") == pytest.approx(one, abs=1e-4)
    assert one[-1] < 0.5 * one[0]
    scores = evaluations(tmp_path / "one")
    assert len(scores) == 2
    for found, expected in zip(evaluations(tmp_path / "two"), scores, strict=True):
        assert found == pytest.approx(expected, abs=1e-4)
    # One worker writes what is shared, each its own log.
    assert {path.name for path in (tmp_path / "two").iterdir()} == {path.name for path in (tmp_path / "one").iterdir()}
    logs = sorted(path.name for path in (tmp_path / "two" / "log" / "msrun").iterdir())
    assert logs == ["msrun.log", "scheduler.log", "worker_0.log", "worker_1.log"]
    result = json.loads((tmp_path / "two" / "result.json").read_text())
    assert result["last_evaluation"]["records"] == 40
    weights = ["--load_checkpoint", str(tmp_path / "two"), "--output_dir", str(tmp_path / "eval")]
    assert run_scimind(["--config", str(NANO), "--run_mode", "eval", *options, *weights]) == 0
    scores_of_two = json.loads((tmp_path / "eval" / "evaluation.json").read_text())
    assert scores_of_two["loss"] == pytest.approx(result["last_evaluation"]["loss"], rel=1e-5)


def test_workers_exchange_values(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "mindspore.parallel.cluster.run", "--worker_num=2", "--local_worker_num=2"),
        *("--join=True", f"--master_port={free_port()}", f"--log_dir={tmp_path / 'log'}", "--tail_worker_log=2"),
        *(str(ROOT / "tests" / "integration" / "workers_that_compare.py"), str(tmp_path)),
    ]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(command, cwd=tmp_path, env={**environment(), "PATH": path}, capture_output=True, timeout=120)
    assert done.returncode == 0, (tmp_path / "log" / "worker_0.log").read_text()[-2000:]
    for rank in (0, 1):
        seen = json.loads((tmp_path / f"{rank}.json").read_text())
        assert seen["gathered"] == [[math.pi, 2.0**53], [2 * math.pi, 2.0**53 - 1]]
        assert seen["total"] == [0.2, 1.0]
        assert seen["largest"] == 15
        assert seen["error"] == "the workers have different weights: rank 1 differs from 0; give all the same"


def test_a_killed_worker_ends_the_job_and_is_named_and_one_worker_finishes_what_three_started(
    records: Path, whole: FinetuneResult, tmp_path: Path
) -> None:
    """One of three workers is killed; one worker resumes, with the losses of an uninterrupted run.

    The 61 records are read in steps of 12, so that the sixth step has one record: two workers have only blank rows in
    it. A worker's four records of a step are three and one with blank rows.
    """
    with running(tmp_path, records, workers=3, **UNEVEN) as (script, workers):
        wait_until(lambda: step_folders(tmp_path / "out" / "checkpoint"), script)
        workers[1].send_signal(signal.SIGKILL)
        status, errors = end_of(script)
        assert status == 128 + signal.SIGKILL
        assert "rank 1 ended with signal SIGKILL, and the others were stopped; the last lines of" in errors
        assert "worker_1.log" in errors
    first, last = step_folders(tmp_path / "out" / "checkpoint")[-1], 20
    begun = int(first.name.removeprefix("step_"))
    assert 6 < begun < STEPS - last
    changes = {**UNEVEN, "runner_config__stop_step": begun + last, "resume_training": True}
    result = finetune(make_config(records, tmp_path / "out", **changes))
    assert (result.first_step, result.steps) == (begun, begun + last)
    expected = losses(whole.output_dir)[: begun + last]
    assert losses(tmp_path / "out") == pytest.approx(expected, abs=1e-4)
    # The twins: the steps after the checkpoint are not those before it, and other records in each step change losses.
    assert losses(tmp_path / "out")[begun : begun + 5] != pytest.approx(expected[:5], abs=1e-4)
    finetune(make_config(records, tmp_path / "other", **{**UNEVEN, "seed": 4, "runner_config__stop_step": 3}))
    assert losses(tmp_path / "other") != pytest.approx(expected[:3], abs=1e-4)


def test_an_interrupted_job_stops_at_one_step_with_a_checkpoint(records: Path, tmp_path: Path) -> None:
    with running(tmp_path, records) as (script, _):
        script.send_signal(signal.SIGINT)
        status, errors = end_of(script)
        assert status == 128 + signal.SIGINT, errors
        assert "stopping the workers after their current step" in errors
        assert "stopped by SIGINT" in errors
    last = sorted((tmp_path / "out" / "checkpoint").iterdir())[-1]
    assert len(losses(tmp_path / "out")) == int(last.name.split("_")[1])
    assert json.loads((tmp_path / "out" / "result.json").read_text())["stop_signal"] == signal.SIGTERM


def test_workers_end_with_a_script_that_is_killed(records: Path, tmp_path: Path) -> None:
    with running(tmp_path, records, trains=False) as (script, workers):
        script.kill()
        script.wait()
        _, alive = psutil.wait_procs(list(workers.values()), timeout=SECONDS_TO_END)
        assert alive == []
        time.sleep(1)  # the scheduler's turn


def test_a_mistake_that_a_worker_finds_is_shown(tmp_path: Path) -> None:
    done = launch("--config", str(NANO), "--train_dataset", "absent.mindrecord", cwd=tmp_path)
    assert done.returncode == 2
    assert "rank 0 ended with status 2" in done.stderr
    assert "train_dataset (absent.mindrecord) does not exist" in done.stderr
