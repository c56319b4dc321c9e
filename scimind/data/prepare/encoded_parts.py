"""Encoded records, kept on disk until their fate is decided; an interrupted run resumes from them."""

from __future__ import annotations

import io
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
    """The records of one batch of the encoder.

    Args:
        arrays: The arrays of `EncodedRecords`, `ids`, `labels`, and `json` (UTF-8 bytes, `json_size` of them per row).
        notes: Everything that is not an array: `read`, the number of records found, `names` of the rows' records,
            `rejects`, and more.
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
        folder: Folder of the parts; parts made with another manifest are removed.
        manifest: Everything that the parts depend on, as JSON values.
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
        """Returns whether a part exists; an existing part is complete."""
        return number in self._done

    def write(self, number: int, part: Part) -> None:
        """Writes a part atomically."""
        notes = np.frombuffer(json.dumps(part.notes, ensure_ascii=True).encode(), dtype=np.uint8)
        path = self.folder / f"{number:07}.npz"
        archive = io.BytesIO()  # written to a full disk directly, zipfile adds a traceback to the error
        np.savez(archive, **part.arrays, notes=notes)
        with new_file(path) as temporary:
            temporary.write_bytes(archive.getbuffer())
        self._done.add(number)

    def read(self, number: int, *names: str) -> Part:
        """Returns a part with the named arrays, or with all arrays if none is named."""
        with np.load(self.folder / f"{number:07}.npz", allow_pickle=False) as stored:
            wanted = names or tuple(name for name in stored.files if name != "notes")
            arrays = {name: stored[name] for name in wanted}
            return Part(arrays, json.loads(stored["notes"].tobytes()))
