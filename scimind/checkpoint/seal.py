"""The seal of a checkpoint: size and checksum of each of its files, which reveal damage."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from scimind.checkpoint.finding import DESCRIPTION, OPTIMIZERS, TRAINING, WEIGHTS
from scimind.checkpoint.formats.tensors import CHUNK
from scimind.errors import CheckpointError, excerpt
from scimind.small_files import read_small_json

SEAL = "checksums.json"


def seal_folder(folder: Path) -> None:
    """Writes `checksums.json`.

    Args:
        folder: A checkpoint's folder with all its files and no subfolders.

    Raises:
        OSError: A file cannot be read, or the disk is full.
    """
    files = {file.name: _sums(file) for file in sorted(folder.iterdir()) if file.name != SEAL}
    (folder / SEAL).write_text(json.dumps(files, indent=2) + "\n", encoding="utf-8")


def fault_of_folder(folder: Path, names: Collection[str] | None = None) -> str | None:
    """Returns what is wrong with a sealed folder, or None if it is intact.

    A seal that does not name a file that is loaded says nothing about it, which is a fault.

    Args:
        folder: The checkpoint's folder.
        names: Files to check, which the seal must name; None checks all that it names, and it must name each of the
            weights, optimizer, description and progress that are there.
    """
    try:
        files = read_small_json(folder / SEAL)
        wanted = {name: (int(entry["bytes"]), entry["crc32"]) for name, entry in files.items()}
    except FileNotFoundError:
        return f"{SEAL} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return f"{SEAL} cannot be read"
    loaded = (*WEIGHTS, *OPTIMIZERS, DESCRIPTION, TRAINING)
    for name in (name for name in loaded if (folder / name).is_file()) if names is None else names:
        if name not in wanted:
            return f"{SEAL} does not name {name}"
    for name, (size, checksum) in wanted.items():
        if names is not None and name not in names:
            continue
        file = folder / name
        if not os.path.isfile(file):  # unlike Path.is_file also false for a name that no file can have
            return f"{excerpt(name)} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size:,} bytes, {size:,} were written"
        if _sums(file)["crc32"] != checksum:
            return f"{name} has changed since it was written"
    return None


def check_loaded(weights: Iterable[Path], *, advice: str = "") -> None:
    """Checks files of weights, and the descriptions next to them, against their seals; a folder may lack a seal.

    Args:
        weights: The files.
        advice: What else the user can do, for the message.

    Raises:
        CheckpointError: A file has changed, or the seal of its folder does not name it.
    """
    for file in weights:
        if not (file.parent / SEAL).is_file():
            continue
        described = [DESCRIPTION] if (file.parent / DESCRIPTION).is_file() else []
        fault = fault_of_folder(file.parent, [file.name, *described])
        if fault is not None:
            raise CheckpointError(
                f"{file}: {fault}; use another checkpoint, or {advice or f'remove {SEAL}'} if the change is intended"
            )


def _sums(file: Path) -> dict[str, int | str]:
    """Returns a file's size in bytes and its CRC-32 as eight hexadecimal digits."""
    size = total = 0
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            size, total = size + len(piece), zlib.crc32(piece, total)
    return {"bytes": size, "crc32": f"{total:08x}"}
