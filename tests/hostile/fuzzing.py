"""Gives hostile files and command lines to SciMind, counts what happens, and keeps the inputs that fail."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.hostile import samples
from tests.hostile.limits import Fault, Judge
from tests.hostile.reader import FILE, HERE, OUT, Command, Reader


@dataclass
class Tally:
    """What happened to the inputs of one reader.

    Attributes:
        endings: How often each ending occurred.
        faults: Each fault once, with the folder of its input.
        seconds: Processor time.
    """

    endings: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self, name: str) -> str:
        """Returns the counts in one line."""
        endings = ", ".join(f"{count} {ending}" for ending, count in sorted(self.endings.items()))
        total = sum(self.endings.values())
        return f"{name:24}{total:>8} executions  {self.seconds:6.1f} s  {len(self.faults)} faults  ({endings})"


class Target:
    """What one reader does with one input; the smallest input of each fault is kept.

    Args:
        name: The reader's name.
        kept: The folder for inputs that fail.
    """

    def __init__(self, name: str, kept: Path) -> None:
        self.name, self.tally, self._kept = name, Tally(), kept
        self._sizes: dict[str, int] = {}

    def judged(self, ending: Callable[[], str], size: int, keep: Callable[[Path], None]) -> None:
        """Counts how something ended.

        Args:
            ending: Runs it, see `Judge`.
            size: The size of the input.
            keep: Writes the input to a folder.

        Raises:
            Fault: It did not end as it should; `Fault` wraps any other exception.
        """
        begin = time.process_time()
        try:
            self.tally.endings[ending()] += 1
        except Exception as error:
            self.tally.endings["fault"] += 1
            key = _key(error)
            if size < self._sizes.get(key, size + 1):
                self._sizes[key] = size
                folder = self._kept / f"{self.name.replace(' ', '_')}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                keep(folder)
                (folder / "traceback.txt").write_text(traceback.format_exc(), errors="backslashreplace")
                self.tally.faults[key] = str(folder)
            raise Fault(f"{self.name}: {key}; the input is in {self.tally.faults[key]}") from error
        finally:
            self.tally.seconds += time.process_time() - begin


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

    def try_file(self, reader: Reader, name: str, content: bytes, command: Command) -> None:
        """Lets a command read a hostile file.

        Args:
            reader: The reader.
            name: The file's name.
            content: What it holds.
            command: One of the reader's commands.

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

        def ending() -> str:
            if callable(command):
                return self.judge.reader(lambda: command(here / name, out))
            places = {FILE: str(here / name), OUT: str(out), HERE: str(here)}
            return self.judge.command([_filled(argument, places) for argument in command])

        def keep(folder: Path) -> None:
            shutil.copytree(here, folder, dirs_exist_ok=True)
            (folder / "command.txt").write_text(f"{command}\n")

        try:
            self.target(reader.name).judged(ending, len(content), keep)
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
            self.try_file(reader, name, content, reader.commands[command])

        run_examples(body, (names, reader.contents, commands), examples, number)

    def try_arguments(self, arguments: Sequence[str]) -> None:
        """Runs a command line in the folder of its results; raises a `Fault` if it does not end as it should."""

        def keep(folder: Path) -> None:
            (folder / "command.txt").write_text(f"{list(arguments)!r}\n")

        size = sum(map(len, arguments)) + len(arguments)
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
