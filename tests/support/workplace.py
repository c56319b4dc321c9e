"""A folder with small inputs of all commands: tables, prompts, answers, a random model, its partition, a task."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from scimind.cli import main
from tests.support import numpy_llama

TASK = """
name: chains
question: "How long is {molecule}?"
answer: "{length}"
fields: {molecule: {kind: smiles}, length: {kind: text}}
"""


def make_inputs(folder: Path, *, rows: int = 40) -> Path:
    """Writes the inputs that need no command, and returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{'C' * (1 + i % 20)}{'O' * (i % 3)}\tA chain with number {i}." for i in range(rows)]
    (folder / "table.tsv").write_text("\n".join(["molecule\tcaption", *lines]) + "\n")
    (folder / "prompts.txt").write_text("What is <smiles>CCO</smiles>?\nWhat is <smiles>CCN</smiles>?\n")
    (folder / "choices.txt").write_text("yes\nno\n")
    answers = [{"id": f"{i}", "output": "C" * (1 + i % 9) + "O", "reference": "C" * (1 + i % 7)} for i in range(rows)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    (folder / "task.yaml").write_text(TASK)
    (folder / "mixture.yaml").write_text("tasks: {chains: {task: smiles2text, input: [table.tsv]}}\n")
    numpy_llama.save(folder / "hf", numpy_llama.draw(numpy_llama.SIZES), dict(numpy_llama.SIZES))
    return folder


def make_workplace(folder: Path) -> Path:
    """Writes all inputs, with `model`, `partition` and `metrics.json`, and returns the folder."""
    make_inputs(folder)
    assert main(["convert", "--input", str(folder / "hf"), "--output", str(folder / "model")]) == 0
    config = ["--config", str(folder / "model" / "finetune.yaml"), "--load_checkpoint", str(folder / "model")]
    build = ["experts", "build", *config, "--method", "contiguous", "--output_dir", str(folder / "run")]
    assert main([*build, "--output", str(folder / "partition")]) == 0
    score = ["evaluate", "--task", "molecules", "--predictions", str(folder / "answers.jsonl"), "--bootstrap", "0"]
    score += ["--workers", "1", "--output", str(folder / "metrics.json"), "--items", str(folder / "items.jsonl")]
    assert main(score) == 0
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Returns the digest of every file below a folder, "folder" for folders, and where links point."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found
