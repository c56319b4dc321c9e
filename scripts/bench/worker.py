"""A process that does one side's work on request, and sleeps on a pipe in between.

MindSpore and PyTorch in the same process take each other's cores; in two processes, one waiting in `recv`, they do not.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

_PEER = "torch"  # installed by the extra `bench`
_SPAWN = multiprocessing.get_context("spawn")


class Work(ABC):
    """The work of a side. It is built in a separate process, and only there may it load MindSpore or PyTorch."""

    @abstractmethod
    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the results that the other side must match; called once, before anything is timed."""

    def prepare(self) -> None:  # noqa: B027  # most works have nothing to prepare
        """Creates the next run's input, untimed."""

    @abstractmethod
    def run(self) -> None:
        """Does the timed work once."""

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Returns versions and numbers of threads."""


@dataclass(frozen=True)
class Side:
    """One of the two sides that are compared.

    Args:
        name: Its name in the table.
        build: Returns the work; defined in a module, because it is called in another process.
        arguments: Arguments of `build`.
        needs: A package that the side needs and that may be missing; "" if there is none.
    """

    name: str
    build: Callable[..., Work]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""


class Worker:
    """A running side; leaving its context ends the process.

    Args:
        side: The side.
        log: Receives the output of its process.
    """

    def __init__(self, side: Side, log: Path) -> None:
        self.side, self.log = side, log
        self._connection, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, side, log))
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        self.facts: dict[str, str] = {}
        self.built_bytes = 0

    def __enter__(self) -> Worker:
        """Waits until the work is built."""
        try:
            self.facts, self.built_bytes = self._reply()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def outputs(self) -> dict[str, np.ndarray]:
        """Returns the work's outputs."""
        outputs: dict[str, np.ndarray] = self._ask("outputs")
        return outputs

    def seconds(self) -> float:
        """Does the work once and returns its duration, as measured in the process."""
        return float(self._ask("run"))

    def peak_bytes(self) -> int:
        """Returns the peak memory of the process, including its libraries."""
        return int(self._ask("peak"))

    def extra_bytes(self) -> int:
        """Returns the peak memory less the memory of the process when its work had been built."""
        return self.peak_bytes() - self.built_bytes

    def processor_seconds(self) -> float:
        """Returns the processor time that the process has used so far, read from outside."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _ask(self, command: str) -> Any:
        self._connection.send(command)
        return self._reply()

    def _reply(self) -> Any:
        try:
            value, trace = self._connection.recv()
        except EOFError as error:
            raise RuntimeError(f"{self.side.name}: its process ended; see {self.log} for the reason") from error
        if trace:
            raise RuntimeError(f"{self.side.name}: {trace}")
        return value

    def _end(self) -> None:
        self._connection.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _memory(kind: str) -> int:
    """Returns bytes of this process's memory.

    Args:
        kind: The kernel's name: `VmRSS` for the current memory, `VmHWM` for the peak. The latter starts at 0 with a
            program, whereas the value of `getrusage` starts at the size of the parent process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def _hide(package: str) -> None:
    """Hides a package from this process: MindFormers would load PyTorch, which users do not have installed.

    Args:
        package: Name of the package.
    """
    find = PathFinder.find_spec

    def find_others(name: str, *more: Any) -> Any:
        return None if name == package else find(name, *more)

    PathFinder.find_spec = find_others  # type: ignore[assignment]


def _serve(connection: Connection, side: Side, log: Path) -> None:
    """Builds the work and serves requests from the pipe until it is closed."""
    with log.open("a") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    if not side.needs:
        _hide(_PEER)
    try:
        work = side.build(**side.arguments)
        connection.send(((work.facts(), _memory("VmRSS")), ""))
        while True:
            command = connection.recv()
            value: Any
            if command == "run":
                work.prepare()
                start = time.perf_counter()
                work.run()
                value = time.perf_counter() - start
            else:
                value = work.outputs() if command == "outputs" else _memory("VmHWM")
            connection.send((value, ""))
    except (EOFError, BrokenPipeError):
        return
    except Exception:
        connection.send((None, traceback.format_exc()))
