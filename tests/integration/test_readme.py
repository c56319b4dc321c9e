"""The README's commands, typed from top to bottom in a fresh copy, with a tiny model and a few records.

`tests/docs/test_docs.py` runs its Python.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.warm_commands import WarmCommands

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What is not typed: the environment is the one of the tests, eight Ascend cards are not here, and the benchmark has
# its own tests.
NOT_TYPED = ("source .venv/bin/activate", "bash scripts/run_distribute.sh", "python scripts/bench/run.py")
TINY = {
    "hidden_size: 128": "hidden_size: 32",
    "num_layers: 4": "num_layers: 1",
    "intermediate_size: 512": "intermediate_size: 64",
    "epochs: 7": "epochs: 12",
    "eval_step_interval: 250": "eval_step_interval: 0",
    "max_new_tokens: 128": "max_new_tokens: 8",
}
RECORDS = {"train": 48, "test": 6}
# The file that the reader brings.
TABLE = "molecule,caption\n" + "".join(f"{'C' * n}O,An alcohol with {n} carbon atoms.\n" for n in range(1, 41))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with tiny sizes, whose scripts use the environment of the tests."""
    folder = tmp_path_factory.mktemp("readme") / "SciMind"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    ).stdout.splitlines()
    if not names:
        pytest.skip("not in a git repository")
    for name in names:
        if not name.startswith("tests/") and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False) if not (ROOT / name).is_dir() else (
                folder / name
            ).symlink_to(os.readlink(ROOT / name))
    for kind in ("finetune", "predict"):
        config = folder / "configs" / f"scimind_nano_{kind}.yaml"
        text = config.read_text()
        for before, after in TINY.items():
            text = text.replace(before, after)
        config.write_text(text)
    for task in ("smiles2text", "text2smiles"):
        for split, number in RECORDS.items():
            file = folder / "LPM-24-data" / task / f"{split}.json"
            file.write_text(json.dumps(json.loads(file.read_text())[:number]))
        prompts = folder / "LPM-24-data" / task / "test_prompts.txt"
        prompts.write_text("".join(prompts.read_text().splitlines(keepends=True)[: RECORDS["test"]]))
    environment = folder / "scripts" / "environment.sh"
    environment.write_text(environment.read_text() + "\nuse_environment() { :; }\n")
    (folder / "my.csv").write_text(TABLE)
    return folder


def typed_blocks() -> list[str]:
    """Returns each block of commands, without those that are not typed."""
    found = []
    for text in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        lines = text.replace("\\\n", " ").splitlines(keepends=True)
        text = "".join(line for line in lines if not line.startswith(NOT_TYPED))
        found += [text] if text.strip() else []
    return found


def test_every_block_works_in_its_turn(clone: Path, warm_commands: WarmCommands) -> None:
    path = os.pathsep.join([str(warm_commands.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(clone)}
    blocks = typed_blocks()
    assert len(blocks) == 4
    said = []
    for text in blocks:
        command = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        said.append(done.stdout)
    out = clone / "output"
    assert "untrained" in said[0] and (out / "quickstart" / "report.html").is_file()
    assert len((out / "answers.txt").read_text().splitlines()) == 1
    prepared = json.loads((out / "my_data" / "my.summary.json").read_text())
    assert prepared["read"] == 40 and not any(prepared["dropped"].values())
    assert list((out / "my_model" / "checkpoint").glob("step_*"))
    scores = json.loads((out / "metrics.json").read_text())
    assert scores["group"] == "molecules" and scores["items"] == RECORDS["test"]
    assert len((out / "items.jsonl").read_text().splitlines()) == RECORDS["test"]
    assert "<svg" in (out / "report.html").read_text() or "data:image" in (out / "report.html").read_text()
    assert len((out / "captions.txt").read_text().splitlines()) == RECORDS["test"]
