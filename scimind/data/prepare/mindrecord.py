"""MindRecord files: columns input_ids and labels, int32 [s+1] each, padded on the right with 0 and -100."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.data.encode.rendering import IGNORED_LABEL
from scimind.data.prepare.staging import cannot_write
from scimind.errors import DataError

COLUMNS = ("input_ids", "labels")

_ROWS_AT_ONCE = 1000
_HEADER_BYTES = 1 << 20  # lists the pages; enough for thousands of them
_PAGE_BYTES = 1 << 22


class MindRecordWriter:
    """Writes one file, `path`, and its index, `path` + `.db`. The file can be moved afterwards, but not renamed.

    MindSpore is loaded when the first rows are written, so that faulty input is reported without waiting for it.

    Args:
        path: A file that does not exist yet, in an existing folder.
        seq_length: Sequence length s of the model; rows have s + 1 columns.
        pad_id: The padding id.
    """

    def __init__(self, path: Path, seq_length: int, pad_id: int = 0) -> None:
        self.path, self.width, self.pad_id = path, seq_length + 1, pad_id
        self.count = 0
        self._rows: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        self._writer: Any = None

    def append(self, ids: NDArray[np.int32], labels: NDArray[np.int32]) -> None:
        """Adds a row.

        Args:
            ids: At most s + 1 token ids, int32.
            labels: As many labels, int32.

        Raises:
            SciMindError: The file cannot be written.
        """
        assert len(ids) == len(labels) <= self.width
        self._rows.append((ids, labels))
        self.count += 1
        if len(self._rows) == _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Completes the file, which must have at least one row.

        Raises:
            SciMindError: The file cannot be written, or is incomplete.
        """
        assert self.count
        self._flush()
        try:
            self._writer.commit()
        except RuntimeError as error:
            raise self._failed(error) from error
        if (found := count_records(self.path)) != self.count:
            raise cannot_write(self.path, f"{found} of {self.count} records were stored")

    def _flush(self) -> None:
        if not self._rows:
            return
        try:
            if self._writer is None:
                self._writer = _load_writer()(str(self.path), shard_num=1)
                # With MindSpore's default sizes, a single row makes a file of 50 MB.
                self._writer.set_header_size(_HEADER_BYTES)
                self._writer.set_page_size(max(_PAGE_BYTES, 1 << (16 * self.width - 1).bit_length()))
                self._writer.add_schema({name: {"type": "int32", "shape": [self.width]} for name in COLUMNS}, "SciMind")
            self._writer.write_raw_data(self._padded_rows())
        except RuntimeError as error:
            raise self._failed(error) from error
        self._rows = []

    def _padded_rows(self) -> list[dict[str, NDArray[np.int32]]]:
        """Returns the rows in the form that MindSpore expects."""
        input_ids = np.full((len(self._rows), self.width), self.pad_id, dtype=np.int32)
        targets = np.full((len(self._rows), self.width), IGNORED_LABEL, dtype=np.int32)
        for number, (ids, labels) in enumerate(self._rows):
            input_ids[number, : len(ids)] = ids
            targets[number, : len(labels)] = labels
        return [{"input_ids": ids, "labels": target} for ids, target in zip(input_ids, targets, strict=True)]

    def _failed(self, error: Exception) -> Exception:
        """Returns the error to raise: no space if the disk is full, else the reason that MindSpore gives."""
        name = Path(self.path.name)  # its folder is temporary and means nothing to the user
        is_full = shutil.disk_usage(self.path.parent).free < _ROWS_AT_ONCE * self.width * 8
        if is_full or "free disk" in str(error):  # MindSpore's words, with a number without its unit
            return cannot_write(name, "no space left on device")
        lines = [line.removeprefix("[ERROR] ") for line in str(error).splitlines() if line.startswith("[ERROR] ")]
        reason = lines[0] if lines else str(error).split("\n")[0]
        return cannot_write(name, reason.removeprefix("[Internal ERROR] ").rstrip("."))


def _load_writer() -> Any:
    """Returns MindSpore's FileWriter.

    Raises:
        KeyboardInterrupt: The user stopped the import, which MindSpore's modules turn into an ImportError.
    """
    try:
        from mindspore.mindrecord import FileWriter
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    return FileWriter


def count_records(path: Path) -> int:
    """Returns the number of rows of a MindRecord file.

    Raises:
        DataError: The file does not exist, or is not a MindRecord file.
    """
    from mindspore.mindrecord import FileReader

    if not path.is_file():
        raise DataError("no such file; check the path", path)
    try:
        reader = FileReader(str(path), num_consumer=1)
        try:
            return int(reader.len())
        finally:
            reader.close()
    except RuntimeError as error:
        raise DataError("is not a complete MindRecord file; prepare it again", path) from error
