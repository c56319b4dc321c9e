"""The command line of a job, in the original positional form and with named options, and the job that it describes."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scimind.cli.run_options import overrides_of
from scimind.cli.run_scimind import parse
from scimind.config import RunConfig, load_config
from scimind.config.sections.device import DEVICES
from scimind.config.sections.root import RUN_MODES
from scimind.errors import SciMindError
from scimind.launch.rank_table import RankTable, read_rank_table
from scimind.train.feed.batch_sizes import divide_batch

DEFAULT_PORT = 8118
_RANGE = re.compile(r"\[\s*(\d+)\s*,\s*(\d+)\s*[\])]")
_MOST_DEVICES = 4096
_NO_TABLE = "msrun"  # given in place of the rank table, as in MindFormers' scripts


@dataclass(frozen=True)
class Job:
    """A job, as started on this server.

    Args:
        arguments: The arguments of `run_scimind.py`, checked.
        workers: Number of workers on all servers together.
        local_workers: Number of workers on this server.
        node_rank: Number of this server, from 0.
        master: Address of server 0.
        port: Port of the scheduler, at which the workers meet; None takes any free port.
        log_dir: Folder of the workers' logs.
        rank_table: File of the rank table; None if there is none.
        reporter: Rank of the worker whose output is shown, if it is on this server.
    """

    arguments: list[str]
    workers: int
    local_workers: int
    log_dir: Path
    node_rank: int = 0
    master: str = "127.0.0.1"
    port: int | None = None
    rank_table: Path | None = None
    reporter: int = 0

    @property
    def first_rank(self) -> int:
        """The lowest rank on this server."""
        return self.node_rank * self.local_workers

    @property
    def ranks(self) -> range:
        """The ranks on this server."""
        return range(self.first_rank, self.first_rank + self.local_workers)


@dataclass(frozen=True)
class _Request:
    """The contents of a command line, in either form."""

    config: str
    run_mode: str | None
    workers: int
    local_workers: int
    node_rank: int
    master: str | None
    rest: list[str]
    port: int | None = None
    device: str | None = None
    log_dir: str | None = None
    rank_table: str | None = None


def read_job(arguments: Sequence[str]) -> Job:
    """Returns the job that a command line describes.

    `RANK_TABLE CONFIG [first,last] MODE [RANK_SIZE]` is the original form: ranks `first` to `last` - 1 run on this
    server, out of RANK_SIZE in total (default: `last`). The other form has named options, see `--help`. All further
    options are those of `run_scimind.py`. The configuration is read here, so that a mistake is reported once, before
    anything starts.

    Raises:
        SciMindError: The command line, the configuration or the rank table is wrong.
    """
    is_original = bool(arguments) and not arguments[0].startswith("-")
    request = _read_original_form(arguments) if is_original else _read_named_form(arguments)
    _check_counts(request)
    table = _read_table(request)
    options = ["--config", request.config]
    for flag, value in (("--run_mode", request.run_mode), ("--device_target", request.device)):
        options += [flag, value] if value else []
    options += request.rest
    config = _load(options)
    options += _parallel_options(config, request)
    config = _load(options)
    _check_config(config, request)
    master = request.master or (table.servers[0].address if table and request.workers > request.local_workers else None)
    return Job(
        arguments=options,
        workers=request.workers,
        local_workers=request.local_workers,
        node_rank=request.node_rank,
        master=master or "127.0.0.1",
        port=request.port or (DEFAULT_PORT if request.workers > request.local_workers else None),
        log_dir=Path(request.log_dir) if request.log_dir else config.output_dir / "log" / "msrun",
        rank_table=Path(request.rank_table) if table and request.rank_table else None,
        reporter=config.reporting_rank(request.workers),
    )


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the form with named options."""
    parser = argparse.ArgumentParser(
        prog="run_distribute.sh",
        usage="run_distribute.sh --config YAML [--workers N] [option …] [option of run_scimind.py …]\n"
        "       run_distribute.sh RANK_TABLE|msrun YAML [FIRST,LAST] MODE [RANK_SIZE] [option of run_scimind.py …]",
        description="Train or evaluate with several workers, on one server or several, using MindSpore's msrun.",
        epilog="Any setting of the configuration can be overridden as --section.name=value.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, metavar="YAML", help="configuration of the run, or the name of a shipped one")
    add("--run_mode", "--run-mode", choices=RUN_MODES, help="what to do (default: the configuration's run_mode)")
    add("--workers", type=int, default=1, metavar="N", help="number of workers on each server (default: 1)")
    add("--nodes", type=int, default=1, metavar="N", help="number of servers (default: 1)")
    add(
        "--node-rank",
        "--node_rank",
        type=int,
        default=0,
        metavar="INT",
        help="number of this server, from 0 (default: 0)",
    )
    add("--master", metavar="ADDRESS", help="address of server 0, where the workers meet (default: the rank table's)")
    add(
        "--port",
        type=int,
        metavar="PORT",
        help=f"port on server 0, 1024 to 65535 (default: any free one with one server, else {DEFAULT_PORT})",
    )
    add("--device", choices=DEVICES, help="type of device to run on (default: the configuration's)")
    add("--rank-table", "--rank_table", metavar="FILE", help="HCCL rank table, written by make_rank_table.py")
    add("--log_dir", "--log-dir", metavar="DIR", help="folder for the workers' logs (default: OUTPUT_DIR/log/msrun)")
    return parser


def _read_named_form(arguments: Sequence[str]) -> _Request:
    args, rest = build_parser().parse_known_args(arguments)
    return _Request(
        config=args.config,
        run_mode=args.run_mode,
        workers=args.workers * args.nodes,
        local_workers=args.workers,
        node_rank=args.node_rank,
        master=args.master,
        rest=rest,
        port=args.port,
        device=args.device,
        log_dir=args.log_dir,
        rank_table=args.rank_table,
    )


def _read_original_form(arguments: Sequence[str]) -> _Request:
    place = next((i for i, item in enumerate(arguments) if item.startswith("--")), len(arguments))
    given, rest = list(arguments[:place]), list(arguments[place:])
    if len(given) not in (4, 5):
        raise SciMindError(
            f"{len(given)} arguments where RANK_TABLE CONFIG [FIRST,LAST] MODE [RANK_SIZE] are expected; "
            "bash scripts/run_distribute.sh --help shows the form with named options"
        )
    table, config, span, mode = given[:4]
    found = _RANGE.fullmatch(span)
    if found is None or int(found[1]) >= int(found[2]):
        raise SciMindError(f"device range ({span}) must be [FIRST,LAST] with FIRST below LAST, such as [0,8]")
    if mode not in RUN_MODES:
        raise SciMindError(f"run mode ({mode}) must be one of {', '.join(RUN_MODES)}")
    first, last = int(found[1]), int(found[2])
    if len(given) == 5 and not given[4].isdigit():
        raise SciMindError(f"RANK_SIZE ({given[4]}) must be a whole number")
    size = int(given[4]) if len(given) == 5 else last
    local = last - first
    if first % local:
        raise SciMindError(f"device range ({span}) must begin at a multiple of its length ({local})")
    # Named options of the other form without a position in this one.
    args, rest = build_parser().parse_known_args(["--config", config, *rest])
    return _Request(
        config=config,
        run_mode=mode,
        workers=size,
        local_workers=local,
        node_rank=first // local,
        master=args.master,
        rest=rest,
        port=args.port,
        device=args.device,
        log_dir=args.log_dir,
        rank_table=None if table == _NO_TABLE else table,
    )


def _check_counts(request: _Request) -> None:
    """Checks the numbers of workers and servers, and the port."""
    if request.local_workers < 1 or request.workers < 1:
        raise SciMindError(f"workers ({request.local_workers}) and nodes must be at least 1")
    if request.workers > _MOST_DEVICES:
        raise SciMindError(
            f"{request.workers} workers are more than the {_MOST_DEVICES} that MindSpore counts; start fewer"
        )
    if request.workers % request.local_workers:
        raise SciMindError(
            f"{request.workers} workers cannot be divided into servers of {request.local_workers}; "
            "give each server the same number"
        )
    nodes = request.workers // request.local_workers
    if not 0 <= request.node_rank < nodes:
        raise SciMindError(f"node rank ({request.node_rank}) must be from 0 to {nodes - 1}; there are {nodes} servers")
    if request.port is not None and not 1024 <= request.port <= 65535:
        raise SciMindError(f"port ({request.port}) must be from 1024 to 65535")
    if nodes > 1 and not request.master and not request.rank_table:
        raise SciMindError("several servers need --master ADDRESS, the address of server 0, or a rank table")


def _read_table(request: _Request) -> RankTable | None:
    """Returns the rank table, None if none was given.

    Raises:
        SciMindError: The table is wrong, or has fewer devices than there are workers.
    """
    if not request.rank_table:
        return None
    table = read_rank_table(request.rank_table)
    if len(table.devices) < request.workers:
        raise SciMindError(
            f"{request.rank_table} has {len(table.devices)} devices, but {request.workers} workers need as many; "
            "start fewer workers or add devices"
        )
    nodes = request.workers // request.local_workers
    if nodes > 1 and nodes != len(table.servers):
        raise SciMindError(
            f"{request.rank_table} has {len(table.servers)} servers, but the job has {nodes}; make them equal"
        )
    return table


def _load(options: Sequence[str]) -> RunConfig:
    args = parse(options)
    return load_config(args.config, overrides_of(args))


def _parallel_options(config: RunConfig, request: _Request) -> list[str]:
    """Returns the options that several workers need but the configuration lacks, or that a single worker must undo."""
    is_divided = config.splits_tensors and config.devices > 1
    if request.workers == 1 and not is_divided:
        # There is nothing to communicate, and MindFormers fails with a group of one.
        return ["--use_parallel", "False"] if config["use_parallel"] else []
    options = []
    if not config["use_parallel"]:
        options += ["--use_parallel", "True"]
    if config.device_target == "CPU" and config.at("parallel.parallel_mode") is None:
        options += ["--parallel.parallel_mode=0"]
    return options


def _check_config(config: RunConfig, request: _Request) -> None:
    """Checks the settings of a configuration that concern several workers."""
    mode = config.run_mode
    if mode is None:
        raise SciMindError(f"{request.config}: run_mode is missing; give --run_mode finetune, train or eval")
    if mode == "predict" and request.workers > 1:
        raise SciMindError(
            f"predict runs with one worker, not {request.workers}; use one, and give each server a part of the prompts"
        )
    if not config.splits_tensors and mode != "predict":
        divide_batch(config["runner_config"], request.workers)
    if config.splits_tensors and config.devices != request.workers:
        raise SciMindError(
            f"parallel_config asks for {config.devices} devices (data_parallel x model_parallel x context_parallel x "
            f"pipeline_stage), but the job has {request.workers} workers; make them equal"
        )
