"""Runs the fuzzers: `python -m tests.hostile --minutes 5`, or with `--gate` on the same inputs in every run."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path

from hypothesis.errors import Flaky

from tests.hostile.command_lines import command_lines, lay_out
from tests.hostile.fuzzing import Fuzzer, run_examples
from tests.hostile.limits import Fault, Judge
from tests.hostile.reader import Reader
from tests.hostile.readers import all_readers

COMMAND_LINE = "command line"
_AT_ONCE = 40  # inputs of a process


def main() -> int:
    """Runs the fuzzers; returns 1 if a fault was found."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Gives hostile files and command lines to SciMind.")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to run (default: 1)")
    parser.add_argument("--gate", action="store_true", help="the same inputs in every run; prints JSON")
    parser.add_argument("--examples", type=int, default=40, help="inputs of each reader with --gate (default: 40)")
    parser.add_argument("--only", nargs="*", metavar="READER", help="names of readers (default: all)")
    args = parser.parse_args()
    kept = Path(tempfile.mkdtemp(prefix="scimind_failing_"))
    readers = {reader.name: reader for reader in all_readers()}
    names = [name for name in (*readers, COMMAND_LINE) if not args.only or name in args.only]
    judge = Judge()
    fuzzer = Fuzzer(judge, kept)
    try:
        if args.gate:
            return _gate(fuzzer, readers, names, args.examples)
        return _by_hand(fuzzer, readers, names, args.minutes, kept)
    except BaseException:
        traceback.print_exc(limit=-5, file=judge.real)  # standard error is a file by now
        raise
    finally:
        fuzzer.close()


def _gate(fuzzer: Fuzzer, readers: dict[str, Reader], names: list[str], examples: int) -> int:
    out = fuzzer.judge.real
    for name in names:
        fault = ""
        try:
            _run(fuzzer, readers.get(name), examples if name in readers else 4 * examples, None)
        except (Fault, Flaky) as found:
            fault = str(found)
        tally = fuzzer.target(name).tally
        commands = readers[name].commands if name in readers else ()
        verbs = {command[0] for number in tally.accepted if commands and not callable(command := commands[number])}
        entry = {"reader": name, "endings": tally.endings, "seconds": tally.seconds, "fault": fault}
        print(json.dumps({**entry, "accepted by": sorted(verbs)}), file=out)
    return 0


def _by_hand(fuzzer: Fuzzer, readers: dict[str, Reader], names: list[str], minutes: float, kept: Path) -> int:
    out = fuzzer.judge.real
    start, stop = time.monotonic(), time.monotonic() + 60 * minutes
    print(f"Random seeds for {minutes:g} minutes; failing inputs are kept in {kept}", file=out)
    while time.monotonic() < stop:
        name = min(names, key=lambda name: (_share(fuzzer, readers, name), random.random()))
        number = random.randrange(1 << 32)
        spent = fuzzer.target(name).tally.seconds
        fuzzer.apart(name, partial(_run, fuzzer, readers.get(name), _AT_ONCE, number))
        tally = fuzzer.target(name).tally
        tally.seconds = max(tally.seconds, spent + 0.1)  # the turn of a reader ends even if nothing was counted
    faults = 0
    print(f"After {(time.monotonic() - start) / 60:.1f} minutes:", file=out)
    for name in names:
        tally = fuzzer.target(name).tally
        faults += len(tally.faults)
        print(tally.line(name), file=out)
        for key, folder in tally.faults.items():
            print(f"    {key}: {folder}", file=out)
    total = sum(sum(target.tally.endings.values()) for target in fuzzer.targets.values())
    print(f"{total:,} executions, {faults} faults; failing inputs: {kept}", file=out)
    return 1 if faults else 0


def _share(fuzzer: Fuzzer, readers: dict[str, Reader], name: str) -> float:
    """Returns the processor time that a reader had, by its weight; the one that had the least is next."""
    return fuzzer.target(name).tally.seconds / (readers[name].weight if name in readers else 3)


def _run(fuzzer: Fuzzer, reader: Reader | None, examples: int, number: int | None) -> None:
    """Fuzzes a reader, or the command line if it is None."""
    if reader is not None:
        fuzzer.fuzz_file(reader, examples, number)
        return
    here, folder = Path.cwd(), Path(tempfile.mkdtemp(prefix="scimind_hostile_"), "here")

    def body(arguments: list[str]) -> None:
        lay_out(folder)
        os.chdir(folder)
        try:
            fuzzer.try_arguments(arguments)
        finally:
            os.chdir(here)

    try:
        run_examples(body, (command_lines(),), examples, number)
    finally:
        import shutil

        shutil.rmtree(folder.parent, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
