"""Encoded records on disk until it is decided what becomes of them; an interrupted run goes on from there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.atomic import new_file

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Part:
    """The records of one task of the encoder.

    Args:
        arrays: The arrays of `EncodedRecords`, `ids`, `labels`, and `json`, UTF-8 bytes with `json_size` of each row.
        notes: What is no array: `read` records that were found, `names` of the rows' records, `rejects`, and more.
    """

    arrays: dict[str, NDArray[Any]]
    notes: dict[str, Any]

    def texts(self) -> Iterator[str]:
        """Yields the JSON of each row."""
        blob, start = self.arrays["json"].tobytes(), 0
        for size in self.arrays["json_size"].tolist():
            yield blob[start : start + size].decode("utf-8", "surrogatepass")
            start += size


class EncodedParts:
    """A folder of parts.

    Args:
        folder: Where they are; what another manifest made there is removed.
        manifest: What the parts depend on; JSON.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        stored = folder / MANIFEST
        text = json.dumps(manifest, sort_keys=True)
        if not stored.is_file() or stored.read_text(encoding="utf-8") != text:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            stored.write_text(text, encoding="utf-8")
        self._done = {int(path.stem) for path in folder.glob("*.npz") if path.stem.isdigit()}

    def __len__(self) -> int:
        return len(self._done)

    def has(self, number: int) -> bool:
        """Returns whether a part is there, which is whole then."""
        return number in self._done

    def write(self, number: int, part: Part) -> None:
        """Stores a part, all at once."""
        notes = np.frombuffer(json.dumps(part.notes, ensure_ascii=True).encode(), dtype=np.uint8)
        path = self.folder / f"{number:07}.npz"
        with new_file(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **part.arrays, notes=notes)
        self._done.add(number)

    def read(self, number: int, *names: str) -> Part:
        """Returns a part; only the arrays that are named, all without names."""
        with np.load(self.folder / f"{number:07}.npz", allow_pickle=False) as stored:
            wanted = names or tuple(name for name in stored.files if name != "notes")
            arrays = {name: stored[name] for name in wanted}
            return Part(arrays, json.loads(stored["notes"].tobytes()))
