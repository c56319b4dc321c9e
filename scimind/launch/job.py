"""Starts and watches a job under msrun, and ends all its processes however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from scimind.errors import SciMindError
from scimind.launch.follow import Follower, last_lines
from scimind.launch.options import Job
from scimind.launch.ports import choose_port
from scimind.locking import output_lock
from scimind.runtime.lifeline import adopt_orphans, end_with_parent, marked_environment
from scimind.runtime.stopping import SIGNALS, may_handle

# msrun checks its workers once a second, kills the others when one has failed, and then waits for the scheduler, which
# may take long to notice. This is the time that it gets to report which worker failed.
_SECONDS_AFTER_FAILURE = 3.0
# The time that a job gets to write a checkpoint when it is asked to stop.
_SECONDS_TO_STOP = 20.0
_POLL = 0.2
_LINES_SHOWN = 20
_FAILED = re.compile(r"Worker process (\d+) exit with exception\. Error code: (-?\d+)")


def run_job(job: Job) -> int:
    """Runs a job to its end and returns its exit status.

    That is 0, the status of the first worker that failed (128 + n if signal n ended it), or 128 + n if signal n was
    sent to this process. When this returns, no process of the job is left.

    Raises:
        SciMindError: The job cannot be started.
    """
    with output_lock(job.log_dir, advice="choose another --output_dir"):
        return _run(job)


def _run(job: Job) -> int:
    port = choose_port(job)
    _prepare_logs(job)
    servers = job.workers // job.local_workers
    where = f" on {servers} servers, {job.local_workers} on this one" if servers > 1 else ""
    _say(f"{job.workers} worker{'s' * (job.workers > 1)}{where}; scheduler at {job.master}:{port}; logs: {job.log_dir}")
    adopt_orphans()
    with _Interruption() as interruption, _started(job, port) as msrun:
        return _Watch(job, msrun, interruption).run()


class _Interruption:
    """Counts the signals that ask this process to end, for the duration of the context."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.count = 0

    def __enter__(self) -> _Interruption:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS if may_handle(number)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number
        self.count += 1


@contextmanager
def _started(job: Job, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Starts msrun; when the context ends, msrun and all its descendants are killed."""
    binaries = Path(sys.executable).parent
    python = next((name for name in ("python", "python3") if (binaries / name).exists()), None)
    if python is None:
        raise SciMindError(f"{binaries} has neither python nor python3, which msrun needs; add a link to one of them")
    command = [
        *(sys.executable, "-m", "mindspore.parallel.cluster.run"),  # the module of the msrun command
        f"--worker_num={job.workers}",
        f"--local_worker_num={job.local_workers}",
        f"--node_rank={job.node_rank}",
        f"--master_addr={job.master}",
        f"--master_port={port}",
        f"--log_dir={job.log_dir}",
        "--join=True",
        f"--tail_worker_log={job.workers}",  # no such worker: the reporter's log is shown by this process
        *([f"--rank_table_file={job.rank_table}"] if job.rank_table else []),
        *(python, "-m", "scimind.cli.run_scimind", *job.arguments),
    ]
    with open(job.log_dir / "msrun.log", "wb") as log:
        process = subprocess.Popen(
            command,
            env=marked_environment(binaries),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal only reaches this process, which decides what to do
            preexec_fn=end_with_parent,
        )
    try:
        yield process
    finally:
        _kill_all()
        process.wait()


class _Watch:
    """Watches a job from its start to its end.

    Args:
        job: The job.
        msrun: Its process.
        interruption: Counts the signals that arrive.
    """

    def __init__(self, job: Job, msrun: subprocess.Popen[bytes], interruption: _Interruption) -> None:
        self._job, self._msrun, self._interruption = job, msrun, interruption
        self._ranks: dict[int, int] = {}  # rank by process id of the worker
        shown = job.reporter if job.reporter in job.ranks else job.first_rank
        self._follower = Follower(_log_of(job, shown), sys.stdout)
        self._messages = Follower(job.log_dir / "msrun.log")
        self._failure: tuple[int, int] | None = None  # process id, exit code
        self._end: float | None = None  # time at which the job is killed

    def run(self) -> int:
        """Waits for the end of the job; returns the exit status."""
        signals_seen = 0
        while self._msrun.poll() is None and (self._end is None or time.monotonic() < self._end):
            self._note_workers()
            self._read()
            if self._interruption.count > signals_seen:
                signals_seen = self._interruption.count
                self._stop(at_once=signals_seen > 1)
            time.sleep(_POLL)
        self._read()
        return self._conclude()

    def _note_workers(self) -> None:
        """Records the ranks of msrun's children while they exist."""
        with suppress(psutil.Error):
            for child in psutil.Process(self._msrun.pid).children():
                if child.pid in self._ranks:
                    continue
                with suppress(psutil.Error, ValueError):
                    environment = child.environ()
                    if environment.get("MS_ROLE") == "MS_WORKER":
                        self._ranks[child.pid] = int(environment["MS_NODE_ID"])

    def _read(self) -> None:
        """Shows what the reporter has written, and searches msrun's messages for a failure."""
        self._follower.read()
        found = _FAILED.search(self._messages.read())
        if found and self._failure is None:
            self._failure = int(found[1]), int(found[2])
            self._end = time.monotonic() + _SECONDS_AFTER_FAILURE

    def _stop(self, *, at_once: bool) -> None:
        """Asks the workers to stop after their current step, or ends them at once."""
        if at_once or self._failure is not None:
            self._end = time.monotonic()
            return
        _say("stopping the workers after their current step, with a checkpoint; interrupt again to stop at once")
        self._end = time.monotonic() + _SECONDS_TO_STOP
        for pid in self._ranks:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _conclude(self) -> int:
        """Reports how the job ended; returns its exit status."""
        if self._interruption.signal is not None:
            name = signal.Signals(self._interruption.signal).name
            _say(f"stopped by {name}; logs: {self._job.log_dir}")
            return 128 + self._interruption.signal
        if self._failure is not None:
            pid, code = self._failure
            return self._report_failure(pid, code)
        if self._msrun.returncode:
            log = self._job.log_dir / "msrun.log"
            _say(f"msrun ended with status {self._msrun.returncode}; the last lines of {log}:")
            print(last_lines(log, _LINES_SHOWN), file=sys.stderr)
            return _status(self._msrun.returncode)
        return 0

    def _report_failure(self, pid: int, code: int) -> int:
        rank = self._ranks.get(pid)
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        if rank is None:
            _say(f"a worker ended with {how} before its rank was known; logs: {self._job.log_dir}")
            return _status(code)
        log = _log_of(self._job, rank)
        _say(f"rank {rank} ended with {how}, and the others were stopped; the last lines of {log}:")
        print(last_lines(log, _LINES_SHOWN), file=sys.stderr)
        return _status(code)


def _log_of(job: Job, rank: int) -> Path:
    return job.log_dir / f"worker_{rank}.log"


def _prepare_logs(job: Job) -> None:
    """Creates the folder of the logs, and removes the logs of an earlier job from it."""
    try:
        job.log_dir.mkdir(parents=True, exist_ok=True)
        for log in (*job.log_dir.glob("worker_*.log"), job.log_dir / "scheduler.log"):
            log.unlink(missing_ok=True)
    except OSError as error:
        reason = f"log_dir ({job.log_dir}) cannot be written ({error.strerror}); choose another folder"
        raise SciMindError(reason) from error


def _kill_all() -> None:
    """Kills every process that this one started, directly or indirectly, and waits until they are gone."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with suppress(psutil.Error):
                child.kill()
        psutil.wait_procs(children, timeout=5)


def _status(code: int) -> int:
    """Returns the exit code of a process in the form that a shell reports."""
    return 128 - code if code < 0 else code


def _say(text: str) -> None:
    print(f"run_distribute.sh: {text}", file=sys.stderr, flush=True)
