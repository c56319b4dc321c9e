"""What a reader is, and the forms of the commands that read its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

REPOSITORY = Path(__file__).resolve().parents[2]
FILE, OUT, HERE = "FILE", "OUT", "HERE"  # in a command: the hostile file, a folder for results, the folder of FILE
QUICK = ("--workers", "1")

Command = Sequence[str] | Callable[[Path, Path], Any]


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Args:
        name: Its name in reports.
        files: The names that the hostile file may have; the extension sometimes decides.
        contents: The strategy for what it holds.
        commands: What reads it: arguments of `scimind`, or a function of the file and of a folder for results.
        around: Other files in its folder, which are valid.
        weight: The share of time that it gets, relative to the others.
    """

    name: str
    files: Sequence[str]
    contents: st.SearchStrategy[bytes]
    commands: Sequence[Command]
    around: Mapping[str, bytes] = field(default_factory=dict)
    weight: float = 1.0


def prepare(task: str, source: str = FILE, *more: str) -> list[str]:
    sizes = ["--seq-length", "64", "--no-card"]
    return ["prepare", "--task", task, "--input", source, "--output", f"{OUT}/p", *sizes, *QUICK, *more]


def evaluate(task: str, predictions: str = FILE, *more: str) -> list[str]:
    return ["evaluate", "--task", task, "--predictions", predictions, "--bootstrap", "5", *QUICK, *more]


def predict(*more: str) -> list[str]:
    config = ["predict", "--config", str(REPOSITORY / "configs/scimind_nano_predict.yaml")]
    places = ["--load_checkpoint", f"{OUT}/weights.ckpt", "--output", f"{OUT}/x.jsonl", "--output_dir", f"{OUT}/run"]
    return [*config, "--input", FILE, *places, *more]
