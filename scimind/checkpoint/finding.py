"""Finding checkpoints on disk from the path that a user gives.

A checkpoint is a folder:

    step_000300/
        model.ckpt          the weights
        optimizer.ckpt      moments and step of the optimizer, and the loss scale, if they are kept
        scimind.json        what is needed to use the weights
        training.json       the progress of the training, for a run that resumes from here
        checksums.json      size and checksum of each file
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.config.schema import show
from scimind.errors import CheckpointError
from scimind.small_files import read_small_json

DESCRIPTION, TRAINING = "scimind.json", "training.json"
WEIGHTS = ("model.ckpt", "model.safetensors")
OPTIMIZERS = ("optimizer.ckpt", "optimizer.safetensors")
_OBJECTS = ("model", "routing", "modality_ranges", "checksums", "training")  # parts of a description
_SUFFIXES = (".ckpt", ".safetensors")
_STEP_FOLDER = re.compile(r"step_(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """An existing checkpoint.

    Args:
        weights: The file of the weights.
        description: The content of `scimind.json` next to it; empty if there is none.
    """

    weights: Path
    description: Mapping[str, Any]


def find_checkpoint(path: str | Path) -> Checkpoint:
    """Finds the weights that a path refers to.

    Args:
        path: A file of weights, a checkpoint's folder, a folder of checkpoints (the newest is used), or a run's
            output folder.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: The path does not exist, holds no weights, or holds several files of weights.
    """
    given = Path(path).expanduser()
    if not given.exists():
        raise CheckpointError(
            f"load_checkpoint ({path}) does not exist; give a file of weights or a run's output folder"
        )
    if given.is_file():
        if given.suffix not in _SUFFIXES:
            raise CheckpointError(f"load_checkpoint ({path}) is neither a .ckpt nor a .safetensors file")
        return _described(given)
    for name in WEIGHTS:
        if (given / name).is_file():
            return _described(given / name)
    steps = step_folders(given)
    if steps:
        return find_checkpoint(steps[-1])
    if (given / "checkpoint").is_dir():
        return find_checkpoint(given / "checkpoint")
    files = sorted(file for file in given.iterdir() if file.suffix in _SUFFIXES)
    if len(files) == 1:
        return _described(files[0])
    found = f"{len(files)} files of weights" if files else "no weights"
    raise CheckpointError(f"load_checkpoint ({path}) holds {found}; give the path of one file")


def step_folders(folder: Path) -> list[Path]:
    """Returns the complete checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    matches = [(int(match[1]), path) for path in folder.iterdir() if (match := _STEP_FOLDER.fullmatch(path.name))]
    return [path for _, path in sorted(matches) if any((path / name).is_file() for name in WEIGHTS)]


def _described(weights: Path) -> Checkpoint:
    """Returns the checkpoint of a file, with the description next to it."""
    description = weights.parent / DESCRIPTION
    if not description.is_file():
        return Checkpoint(weights, {})
    return Checkpoint(weights, read_model_description(description))


def read_model_description(file: Path) -> dict[str, Any]:
    """Returns the content of a checkpoint's `scimind.json`.

    Raises:
        CheckpointError: The file cannot be read, is not a small JSON object, or one of its parts is not an object.
    """
    try:
        content = read_small_json(file)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error})") from error
    for part in _OBJECTS:
        if not isinstance(content.get(part) or {}, dict):
            raise CheckpointError(f"{file}: {part} ({show(content[part])}) is not an object; copy the checkpoint again")
    return content
