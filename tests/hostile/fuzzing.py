"""Gives hostile files and command lines to SciMind, counts what happens, and keeps the inputs that fail."""

from __future__ import annotations

import hashlib
import importlib
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from tests.hostile import samples
from tests.hostile.limits import MOST_SECONDS, REFUSED, Fault, Judge
from tests.hostile.reader import FILE, HERE, OUT, Reader

# Seconds of the processor for an input, after which Python should have ended it; seconds without computing.
_MOST_COMPUTING, _MOST_WAITING = 3 * MOST_SECONDS, 180.0


@dataclass
class Tally:
    """What happened to the inputs of one reader.

    Attributes:
        endings: How often each ending occurred.
        faults: Each fault once, with the folder of its input.
        seconds: Processor time.
        slowest: The processor time of the slowest input.
        accepted: The commands that took an input, by their number.
    """

    endings: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0
    accepted: set[int] = field(default_factory=set)

    def line(self, name: str) -> str:
        """Returns the counts in one line."""
        endings = ", ".join(f"{count} {ending}" for ending, count in sorted(self.endings.items()))
        total = sum(self.endings.values())
        spent = f"{self.seconds:6.1f} s, at most {self.slowest:4.1f} s"
        return f"{name:24}{total:>8} executions  {spent}  {len(self.faults)} faults  ({endings})"


class Target:
    """What one reader does with one input; the smallest input of each fault is kept.

    Args:
        name: The reader's name.
        kept: The folder for inputs that fail.
    """

    def __init__(self, name: str, kept: Path) -> None:
        self.name, self.tally, self._kept = name, Tally(), kept
        self._sizes: dict[str, int] = {}

    def judged(self, ending: Callable[[], str], size: int, keep: Callable[[Path], None], command: int = 0) -> None:
        """Counts how something ended.

        Args:
            ending: Runs it, see `Judge`.
            size: The size of the input.
            keep: Writes the input to a folder.
            command: The number of the command that read it.

        Raises:
            Fault: It did not end as it should; `Fault` wraps any other exception.
        """
        begin = time.process_time()
        try:
            found = ending()
            self.tally.endings[found] += 1
            if found != REFUSED:
                self.tally.accepted.add(command)
        except Exception as error:
            key = _key(error)
            self.note_fault(key, size, keep, traceback.format_exc())
            raise Fault(f"{self.name}: {key}; the input is in {self.tally.faults[key]}") from error
        finally:
            seconds = time.process_time() - begin
            self.tally.seconds += seconds
            self.tally.slowest = max(self.tally.slowest, seconds)

    def note_fault(self, key: str, size: int, keep: Callable[[Path], None], trace: str) -> None:
        """Counts a fault, and keeps its input unless a smaller one is kept.

        Args:
            key: What is the same for all inputs that show it.
            size: The size of the input.
            keep: Writes the input to a folder.
            trace: Where it happened.
        """
        self.tally.endings["fault"] += 1
        if size >= self._sizes.get(key, size + 1):
            return
        self._sizes[key] = size
        folder = self._kept / f"{self.name.replace(' ', '_')}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        keep(folder)
        (folder / "traceback.txt").write_text(trace, errors="backslashreplace")
        self.tally.faults[key] = str(folder)


def _key(error: Exception) -> str:
    """Returns what is the same for all inputs that show a fault: its kind, and the last place in SciMind."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/scimind/" in frame.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = str(error)[:80] if isinstance(error, Fault) else ""
    return f"{type(error).__name__} {where} {text}".strip()


class Fuzzer:
    """Runs readers in folders of their own.

    Args:
        judge: Runs the commands.
        kept: The folder for inputs that fail.
    """

    def __init__(self, judge: Judge, kept: Path) -> None:
        self.judge, self._kept = judge, kept
        self._work = Path(tempfile.mkdtemp(prefix="scimind_hostile_"))
        self._weights = samples.ckpt({"a": np.ones(2, np.float32)})
        self.targets: dict[str, Target] = {}

    def close(self) -> None:
        """Removes the folders."""
        shutil.rmtree(self._work, ignore_errors=True)

    def target(self, name: str) -> Target:
        """Returns what counts the inputs of a reader."""
        return self.targets.setdefault(name, Target(name, self._kept))

    def apart(self, name: str, body: Callable[[], None]) -> None:
        """Does something in a copy of this process, which may crash, and is ended after its stack is shown if it hangs.

        Args:
            name: The reader that is fuzzed.
            body: The work; what it raises is shown.
        """
        result, known = self._work / "result", set(self.target(name).tally.faults)
        result.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            try:
                body()
            except (Fault, Flaky) as found:  # a time limit may be met only once
                if set(self.target(name).tally.faults) - known:
                    print(found, file=self.judge.real)
            except BaseException:
                traceback.print_exc(limit=-5, file=self.judge.real)
            finally:
                result.write_bytes(pickle.dumps((self.target(name), list(sys.modules))))
                os._exit(0)
        status = self._ending(child)
        if status == 0 and result.is_file():
            self.targets[name], modules = pickle.loads(result.read_bytes())
            for module in modules:  # which the next copy then need not import
                with suppress(Exception):
                    importlib.import_module(module)
            return
        key = f"ended with {status}, because it crashed or hung"
        self.target(name).note_fault(key, 0, self._keep_latest, "see what the fuzzer printed")

    def _ending(self, child: int) -> int:
        """Returns how a process ended; one that spends too much time on an input, or waits too long, is aborted."""
        shown = self._work / "command.txt"
        began = spent = moved = -1.0
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            changed, now = shown.stat().st_mtime if shown.exists() else 0.0, time.monotonic()
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            if changed != began:
                began, start = changed, seconds
            if seconds != spent:
                spent, moved = seconds, now
            if seconds - start > _MOST_COMPUTING or now - moved > _MOST_WAITING:
                os.kill(child, signal.SIGABRT)  # `faulthandler` shows the stack
            time.sleep(0.2)

    def _keep_latest(self, folder: Path) -> None:
        """Keeps all that the latest command had before it."""
        for found in self._work.iterdir():
            if found.is_dir():
                shutil.copytree(found, folder / found.name, dirs_exist_ok=True)
        shutil.copy(self._work / "command.txt", folder)

    def try_file(self, reader: Reader, name: str, content: bytes, number: int) -> None:
        """Lets a command read a hostile file.

        Args:
            reader: The reader.
            name: The file's name.
            content: What it holds.
            number: The number of one of the reader's commands.

        Raises:
            Fault: The command did not end as it should.
        """
        here, out = self._work / reader.name.replace(" ", "_"), self._work / "out"
        if not here.is_dir():
            here.mkdir()
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        (out / "weights.ckpt").write_bytes(self._weights)  # for commands that look for weights before they read
        for other, valid in reader.around.items():
            (here / other).write_bytes(valid)
        (here / name).write_bytes(content)
        command = reader.commands[number]
        (self._work / "command.txt").write_text(f"{command}\n{here / name}\n")

        def ending() -> str:
            if callable(command):
                return self.judge.reader(lambda: command(here / name, out))
            places = {FILE: str(here / name), OUT: str(out), HERE: str(here)}
            return self.judge.command([_filled(argument, places) for argument in command])

        def keep(folder: Path) -> None:
            shutil.copytree(here, folder, dirs_exist_ok=True)
            (folder / "command.txt").write_text(f"{command}\n")

        try:
            self.target(reader.name).judged(ending, len(content), keep, number)
        finally:
            (here / name).unlink(missing_ok=True)

    def fuzz_file(self, reader: Reader, examples: int, number: int | None) -> None:
        """Tries files of a reader.

        Args:
            reader: The reader.
            examples: How many.
            number: The seed; None for the same files in every run.

        Raises:
            Fault: A command did not end as it should.
        """
        names, commands = st.sampled_from(list(reader.files)), st.sampled_from(range(len(reader.commands)))

        def body(name: str, content: bytes, command: int) -> None:
            self.try_file(reader, name, content, command)

        run_examples(body, (names, reader.contents, commands), examples, number)

    def try_arguments(self, arguments: Sequence[str]) -> None:
        """Runs a command line in the folder of its results; raises a `Fault` if it does not end as it should."""

        def keep(folder: Path) -> None:
            (folder / "command.txt").write_text(f"{list(arguments)!r}\n")

        size = sum(map(len, arguments)) + len(arguments)
        (self._work / "command.txt").write_text(f"{list(arguments)!r}\n")
        self.target("command line").judged(lambda: self.judge.command(arguments), size, keep)


def run_examples(
    body: Callable[..., None], drawn: Sequence[st.SearchStrategy[Any]], examples: int, number: int | None
) -> None:
    """Calls a function with drawn values; raises what it raises for the smallest values that were found.

    Args:
        body: The function.
        drawn: The strategies of its arguments.
        examples: How many calls.
        number: The seed; None for the same values in every run.
    """
    phases = [Phase.generate] if number is not None else [Phase.generate, Phase.shrink]
    chosen = settings(
        max_examples=examples,
        derandomize=number is None,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )

    # hypothesis takes the arguments' names from the function that it calls
    def example(values: tuple[Any, ...]) -> None:
        body(*values)

    test = chosen(given(st.tuples(*drawn))(example))
    (test if number is None else seed(number)(test))()


def _filled(argument: str, places: Mapping[str, str]) -> str:
    """Returns an argument with its places filled in, which are written in capitals."""
    for place, path in places.items():
        argument = argument.replace(place, path)
    return argument
