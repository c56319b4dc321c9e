"""A disk that is full at any byte: one line, earlier results as they were, and the same command works afterwards."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shared import ROOT
from tests.support.workplace import digests, make_workplace

# Runs a command without and with limits on the size of files, in one process: the limits are those of a full disk.
CODE = """
import contextlib, io, json, resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.support.workplace import digests
arguments, again, limits = json.loads(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])

def predict(*more):  # the writer of predictions, with answers that need no model
    from scimind.cli.exit_status import guarded
    from scimind.generate.prediction_file import PredictionWriter
    expected = [{"id": str(number), "prompt": "p" * number} for number in range(40)]
    def body():
        with PredictionWriter("out/x.txt", expected, {"seed": 0}, overwrite=bool(more)) as writer:
            for number, row in enumerate(expected):
                writer.add(number, {**row, "output": "answer " * number})
                writer.flush()
            writer.finish()
        return 0
    return guarded("scimind", body)

def run(more):
    if arguments == ["predict"]:
        return predict(*more)
    from scimind.cli import main
    return main([*arguments, *more])

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

found = []
for size in [resource.RLIM_INFINITY, *limits]:
    for more in [again] if size != resource.RLIM_INFINITY else [[], again]:
        limit(size)
        error = io.StringIO()
        with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
            status = run(more)
        limit(resource.RLIM_INFINITY)
        found.append([size, status, error.getvalue(), digests(Path("out"))])
with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
    status = run(again if arguments != ["predict"] else [])
found.append([-1, status, "", digests(Path("out"))])
print(json.dumps(found))
"""
SCORE = "--task molecules --predictions answers.jsonl --bootstrap 0 --workers 1"
EXPERTS = "--config model/finetune.yaml --load_checkpoint model --output_dir run --partition partition"
COMMANDS = {
    "prepare": ("prepare --task smiles2text --input table.tsv --output out --seq_length 64 --workers 1", "--overwrite"),
    "convert": ("convert --input hf --output out", "--overwrite"),
    "evaluate": (f"evaluate {SCORE} --output out/scores.json --items out/items.tsv", ""),
    "report": (f"report {SCORE} --output out/report.html", ""),
    "experts report": (f"experts report {EXPERTS} --output out/report.json", ""),
    "predict": ("predict", "--overwrite"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("disk") / "work")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_line(name: str, folder: Path, tmp_path: Path) -> None:
    command, again = COMMANDS[name]
    for entry in folder.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    draw = random.Random(name)
    limits = [0, *(int(10 ** draw.uniform(0, 5.5)) for _ in range(6))]
    given = [json.dumps(part) for part in (command.split(), again.split(), limits)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(ROOT), *given], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and "Exception" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    (_, first, _, _), (_, second, _, wanted), *limited, (_, last, _, after) = json.loads(done.stdout.splitlines()[-1])
    assert (first, second, last) == (0, 0, 0)
    assert len(wanted) >= 1
    failed, before = 0, wanted
    for size, status, error, found in limited:
        said = [line for line in error.splitlines() if "error:" in line]
        assert status in (0, 2) and len(said) == (status == 2), (size, status, error)
        assert "Traceback" not in error and "Exception" not in error, (size, error)
        if status == 2:
            failed += 1
            assert "cannot be written" in said[0], (size, error)
        if status == 0:
            assert stable(found) == stable(wanted), (size, set(found) ^ set(wanted))
        elif name == "predict":  # which keeps the earlier answers under another name until it is complete
            assert wanted["x.txt"] in found.values(), size
        else:
            assert found == before, (size, set(found) ^ set(before))
        before = found
    assert failed >= 2, "no limit was reached"
    assert stable(after) == stable(wanted)


def stable(found: dict[str, str]) -> dict[str, str]:
    """Returns the digests of files without times, and the names of the others."""
    dated = (".summary.json", "scores.json", ".html", ".db", ".card.md")
    return {name: "" if name.endswith(dated) else digest for name, digest in found.items()}


def test_the_twin_that_must_fail(tmp_path: Path) -> None:
    """The digests see a file that a failed run has changed, or left."""
    (tmp_path / "x.tsv").write_text("a")
    before = digests(tmp_path)
    (tmp_path / "x.tsv").write_text("b")
    assert digests(tmp_path) != before
