"""Both forms of the command line, and what they reject."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scimind.errors import SciMindError
from scimind.launch.options import Job, read_job
from scimind.launch.ports import choose_port
from scimind.launch.rank_table import make_rank_table

ROOT = Path(__file__).resolve().parents[3]
NANO, SEVEN = (str(ROOT / "configs" / f"scimind_{name}_finetune.yaml") for name in ("nano", "7b"))


def job_of(command: str) -> Job:
    return read_job([NANO if word == "NANO" else SEVEN if word == "7B" else word for word in command.split()])


def settings_of(job: Job) -> Any:
    from scimind.cli.run_options import overrides_of
    from scimind.cli.run_scimind import parse
    from scimind.config import load_config

    args = parse(job.arguments)
    return load_config(args.config, overrides_of(args))


def write_table(path: Path, servers: int, devices: int) -> str:
    table = [(f"10.0.0.{s + 1}", {d: f"192.168.{100 + d}.{s + 1}" for d in range(devices)}) for s in range(servers)]
    make_rank_table(table).write(path)
    return str(path)


def test_both_forms_ask_for_the_same() -> None:
    named = job_of("--config NANO --workers 2 --run_mode finetune --output_dir /tmp/x --runner_config.epochs=2")
    original = job_of("msrun NANO [0,2] finetune --output_dir /tmp/x --runner_config.epochs=2")
    assert named == original
    assert (named.workers, named.local_workers, named.node_rank, named.rank_table) == (2, 2, 0, None)
    assert named.log_dir == Path("/tmp/x/log/msrun")
    config = settings_of(named)
    assert config["use_parallel"] is True
    assert config["parallel"]["parallel_mode"] == 0
    assert config["runner_config"]["epochs"] == 2


def test_one_worker_is_a_job_too() -> None:
    job = job_of("--config NANO")
    assert job.workers == 1
    assert settings_of(job)["use_parallel"] is False
    with pytest.raises(SciMindError, match="asks for 8 devices .* the job has 1 workers"):
        job_of("--config 7B")
    assert job_of("msrun NANO [0,1] finetune").workers == 1


def test_several_servers(tmp_path: Path) -> None:
    named = job_of("--config NANO --workers 4 --nodes 2 --node-rank 1 --master 10.0.0.1 --port 9000 --log_dir /tmp/l")
    assert (named.workers, named.local_workers, named.node_rank, named.port) == (8, 4, 1, 9000)
    assert list(named.ranks) == [4, 5, 6, 7]
    table = write_table(tmp_path / "table.json", servers=2, devices=4)
    original = job_of(f"{table} NANO [4,8] finetune 8 --port 9000 --log_dir /tmp/l")
    assert replace(original, rank_table=None, arguments=[]) == replace(named, arguments=[])
    assert original.rank_table == Path(table)


def test_a_pipelines_last_stage_reports(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.json", servers=1, devices=8)
    job = job_of(f"{table} 7B [0,8] finetune")
    assert job.reporter == 6  # pipeline 4 x data 2: ranks 6 and 7 have the last stage
    assert settings_of(job)["parallel"]["parallel_mode"] == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("msrun NANO [0,2]", "3 arguments where RANK_TABLE CONFIG"),
        ("msrun NANO [2,2] finetune", r"device range .* FIRST below LAST"),
        ("msrun NANO 0-2 finetune", r"device range \(0-2\)"),
        ("msrun NANO [1,3] finetune", "must begin at a multiple of its length"),
        ("msrun NANO [0,2] finetunes", r"run mode \(finetunes\) must be one of"),
        ("msrun NANO [0,2] finetune eight", r"RANK_SIZE \(eight\)"),
        ("absent.json NANO [0,2] finetune", "absent.json: cannot be read"),
        ("--config absent.yaml --workers 2", "absent.yaml: no such file"),
        ("--config NANO --workers 0", r"workers \(0\)"),
        ("--config NANO --workers 999", r"global_batch_size \(16\) must be a multiple of the number of workers \(999"),
        ("--config NANO --workers 9999", "9999 workers are more than the 4096"),
        ("--config NANO --workers 2 --nodes 2 --node-rank 2 --master 10.0.0.1", r"node rank \(2\) must be from 0 to 1"),
        ("--config NANO --workers 2 --nodes 2", "several servers need --master"),
        ("--config NANO --workers 2 --port 80", r"port \(80\)"),
        ("--config NANO --workers 2 --runner_config.epoch=2", "nearest valid one is .*runner_config.epochs"),
        ("--config 7B --workers 4", "asks for 8 devices .* the job has 4 workers"),
    ],
)
def test_a_mistake_is_reported_before_anything_starts(command: str, message: str) -> None:
    with pytest.raises(SciMindError, match=message):
        job_of(command)


def test_answers_of_several_workers_are_refused(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "configs" / "scimind_nano_predict.yaml").read_text())
    (tmp_path / "predict.yaml").write_text(json.dumps(config))
    assert read_job(["msrun", str(tmp_path / "predict.yaml"), "[0,1]", "predict"]).workers == 1
    with pytest.raises(SciMindError, match="predict runs with one worker, not 2"):
        read_job(["msrun", str(tmp_path / "predict.yaml"), "[0,2]", "predict"])


def test_a_table_with_too_few_devices_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path / "table.json", servers=1, devices=2)
    with pytest.raises(SciMindError, match="has 2 devices, but 4 workers need as many"):
        job_of(f"{table} NANO [0,4] finetune")


def test_a_port_in_use_is_reported_or_another_is_taken() -> None:
    job = job_of("--config NANO --workers 2")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SciMindError, match=rf"port \({port}\) of 127.0.0.1 is in use"):
            choose_port(replace(job, port=port))
    assert choose_port(replace(job, port=port)) == port
    assert 1024 <= choose_port(job) <= 65535
    # Servers other than the first do not check anything.
    assert choose_port(replace(job, node_rank=1, master="192.0.2.77", port=9000)) == 9000
    with pytest.raises(SciMindError, match="is not an address of this server"):
        choose_port(replace(job, master="192.0.2.77", port=9000))
