"""The seal of a checkpoint: size and checksum of each of its files, which reveal damage."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection
from pathlib import Path

from scimind.checkpoint.formats.tensors import CHUNK
from scimind.errors import excerpt
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

    Args:
        folder: The checkpoint's folder.
        names: Files to check; None checks all that the seal names.
    """
    try:
        files = read_small_json(folder / SEAL)
        wanted = {name: (int(entry["bytes"]), entry["crc32"]) for name, entry in files.items()}
    except FileNotFoundError:
        return f"{SEAL} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return f"{SEAL} cannot be read"
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


def _sums(file: Path) -> dict[str, int | str]:
    """Returns a file's size in bytes and its CRC-32 as eight hexadecimal digits."""
    size = total = 0
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK):
            size, total = size + len(piece), zlib.crc32(piece, total)
    return {"bytes": size, "crc32": f"{total:08x}"}
