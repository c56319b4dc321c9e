"""Two processes that start the same predictions over: the file is always that of one of them, complete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.shared import ROOT

ROUNDS, ROWS = 20, 12
CODE = """
import json, random, sys, time
sys.path.insert(0, sys.argv[1])
from scimind.errors import SciMindError
from scimind.generate.prediction_file import PredictionWriter
from scimind.locking import output_lock
folder, name, rounds, rows = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
draw = random.Random(name)
expected = [{"id": str(number), "prompt": "p"} for number in range(rows)]
print("ready", flush=True)
start = float(sys.stdin.readline())
ends = []
for number in range(rounds):
    time.sleep(max(0, start + 0.05 * number - time.monotonic()) + draw.uniform(0, 0.01))
    path = f"{folder}/{number}.jsonl"
    try:
        with output_lock(path), PredictionWriter(path, expected, {"by": name}, overwrite=True) as writer:
            for row, given in enumerate(expected):
                writer.add(row, {**given, "output": name})
                writer.flush()
                time.sleep(draw.uniform(0, 0.001))
            writer.finish()
            ends.append(time.monotonic())
    except SciMindError as error:
        assert "is being written by another run" in str(error), error
        ends.append(None)
print(json.dumps(ends))
"""


def race(folder: Path, code: str) -> tuple[int, list[str]]:
    """Returns how often a process was refused, and what is wrong with the files."""
    names = ("a", "b")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(ROOT), str(folder), name, str(ROUNDS), str(ROWS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    import time

    start = f"{time.monotonic() + 0.1}\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(start)
        process.stdin.flush()
    ends = [json.loads(process.communicate(timeout=120)[0] or "[]") for process in processes]
    refused, faults = 0, []
    for number in range(ROUNDS):
        ended = {name: end[number] for name, end in zip(names, ends, strict=True) if len(end) > number and end[number]}
        refused += len(names) - len(ended)
        winner = max(ended, key=lambda name: ended[name], default="")
        path = folder / f"{number}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        run = json.loads(Path(f"{path}.run.json").read_text()) if Path(f"{path}.run.json").exists() else {}
        if [row["output"] for row in rows] != [winner] * ROWS or run.get("by") != winner or not run.get("complete"):
            faults.append(
                f"{number}: {winner} ended last, the file has {len(rows)} rows, its run is of {run.get('by')}"
            )
    left = [path.name for path in folder.iterdir() if not path.name.endswith((".jsonl", ".jsonl.run.json"))]
    return refused, faults + left


def test_no_row_of_the_winner_is_lost(tmp_path: Path) -> None:
    refused, faults = race(tmp_path, CODE)
    assert faults == []
    assert refused >= 1, "the processes never met"


def test_without_the_lock_rows_are_lost(tmp_path: Path) -> None:
    """The twin that must fail."""
    unlocked = CODE.replace("with output_lock(path), ", "with ").replace("except SciMindError", "except Exception")
    _, faults = race(tmp_path, unlocked.replace('assert "is being', 'pass; "is being'))
    assert faults
