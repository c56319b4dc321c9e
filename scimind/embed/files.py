"""From a table of sequences to a file of vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scimind.atomic import new_file
from scimind.data.formats.columns import SYNONYMS, Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import kept_pipes
from scimind.data.formats.rows import read_rows
from scimind.embed.embedding import Embedder
from scimind.embed.sequences import EmbeddingSettings, sequence_ids
from scimind.errors import DataError
from scimind.runtime.console import Console
from scimind.tokenizer import TokenCodec

SUFFIXES = (".npy", ".parquet")
_FIELD = "sequence"


@dataclass
class SequenceTable:
    """The sequences of a file.

    Attributes:
        ids: Id of each row.
        tokens: Token ids of each row; empty for one that cannot be embedded.
        faults: Line and reason of each such row.
    """

    ids: list[str] = field(default_factory=list)
    tokens: list[list[int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def readable(self) -> list[int]:
        """Places of the rows that can be embedded."""
        return [place for place, ids in enumerate(self.tokens) if ids]


def check_target(path: Path) -> None:
    """Raises a DataError if the file of vectors has an unknown suffix."""
    if path.suffix not in SUFFIXES:
        raise DataError(f"the file of vectors must end in {' or '.join(SUFFIXES)}; rename it", path)


def read_sequences(
    path: str | Path,
    column: str | None,
    codec: TokenCodec,
    settings: EmbeddingSettings,
    max_length: int,
    notes: FileNotes | None = None,
) -> SequenceTable:
    """Reads the sequences of a table or of any other format that `scimind prepare` reads.

    Args:
        path: The file.
        column: Name of the column, or its number from 1; None for the usual names of the modality.
        codec: The tokenizer.
        settings: What the sequences are, and how they are read.
        max_length: Most tokens of a sequence.
        notes: Filled with how the file was understood.

    Raises:
        DataError: The file or its column cannot be read, or none of its sequences can.
    """
    chosen: Mapping[str, str] = {} if column is None else {_FIELD: column}
    columns = Columns({_FIELD: SYNONYMS[settings.modality]}, headerless=(_FIELD,), chosen=chosen)
    found = SequenceTable()
    with kept_pipes():
        for number, row in enumerate(read_rows(Path(path), columns, notes), start=1):
            ids: list[int] = []
            try:
                if isinstance(row, DataError):
                    raise row
                ids = sequence_ids(codec, row.values.get(_FIELD), settings, max_length)
            except DataError as error:
                line = row.line or number
                found.faults.append(str(DataError(error.reason, path, line, error.text)))
            found.ids.append(str(number) if isinstance(row, DataError) else row.id)
            found.tokens.append(ids)
    if not found.readable:
        first = found.faults[0] if found.faults else f"{path}: the file is empty"
        raise DataError(f"none of the {len(found.ids)} sequences can be read; the first: {first}")
    return found


def embed_table(table: SequenceTable, embedder: Embedder, console: Console | None = None) -> NDArray[np.float32]:
    """Returns a vector for each row, float32 [n, d]; rows that cannot be embedded are NaN."""
    vectors = np.full((len(table.ids), embedder.size), np.nan, np.float32)
    vectors[table.readable] = embedder.embed([table.tokens[place] for place in table.readable], console)
    return vectors


def write_vectors(path: Path, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Writes vectors, replacing an older file once the new one is complete.

    Args:
        path: `.npy`, an array [n, d] in the input's order with NaN where nothing could be read; or `.parquet`, with the
            columns `id` and `vector`, which is null there.
        ids: Id of each row.
        vectors: float32 [n, d].

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as temporary:
            if path.suffix == ".npy":
                with temporary.open("wb") as file:
                    np.save(file, vectors)
            else:
                _write_parquet(temporary, ids, vectors)
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror or error}); choose another --output", path) from error


def _write_parquet(path: Path, ids: Sequence[str], vectors: NDArray[np.float32]) -> None:
    import pyarrow
    import pyarrow.parquet

    missing = np.isnan(vectors).any(axis=1)
    ends = np.concatenate([[0], np.cumsum(np.where(missing, 0, vectors.shape[1]))])
    offsets = pyarrow.array(ends, pyarrow.int32(), mask=np.append(missing, False))
    column = pyarrow.ListArray.from_arrays(offsets, pyarrow.array(vectors[~missing].reshape(-1)))
    pyarrow.parquet.write_table(pyarrow.table({"id": list(ids), "vector": column}), path)
