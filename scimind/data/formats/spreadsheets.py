"""Reads tables from Excel workbooks (XLSX) and parquet files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import seekable
from scimind.errors import DataError

_ROWS_AT_ONCE = 1000
_LARGEST_TEXTS = 256 << 20  # openpyxl keeps the texts of a workbook in memory
_LARGEST_SHEET = 2 << 30


def workbook_rows(path: Path, notes: FileNotes) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of the first sheet that has any, as texts, with their numbers; empty rows are left out.

    Raises:
        DataError: The file is damaged, is too large, or openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        reason = 'is an Excel workbook; install openpyxl with: pip install "scimind[xlsx]", or save it as CSV'
        raise DataError(reason, path) from error
    with seekable(path) as file, file.open("rb") as stream:  # openpyxl opens only paths with its own extensions
        _check_sizes(file, path)
        try:
            workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        except Exception as error:  # openpyxl lets through whatever its parsers raise
            raise _damaged(path, "Excel", error) from error
        try:
            sheets = workbook.worksheets
            for sheet in sheets:
                has_rows = False
                for number, row in _rows(path, sheet):
                    if not has_rows and len(sheets) > 1:
                        others = ", ".join(other.title for other in sheets if other is not sheet)
                        notes.add_remark(f"sheet {sheet.title} only, without {others}")
                    has_rows = True
                    yield number, row
                if has_rows:
                    return
        finally:
            workbook.close()
    raise DataError("the workbook is empty; give a file with records", path)


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    rows = enumerate(sheet.iter_rows(values_only=True), start=1)
    width = 0
    while True:
        try:
            number, row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise _damaged(path, "Excel", error) from error
        texts = [_text(value) for value in row]
        while len(texts) > width and not texts[-1].strip():
            texts.pop()  # cells that were emptied
        if any(text.strip() for text in texts):
            width = width or len(texts)
            yield number, texts + [""] * (width - len(texts))


def _text(value: object) -> str:
    """Returns the content of a cell as it would be in a CSV file."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def _check_sizes(file: Path, path: Path) -> None:
    """Raises an error for a workbook that would need too much memory or time."""
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                is_sheet = member.filename.startswith("xl/worksheets/")
                if member.file_size > (_LARGEST_SHEET if is_sheet else _LARGEST_TEXTS):
                    raise DataError(f"its part {member.filename} is too large; save it as CSV", path)
    except (zipfile.BadZipFile, OSError) as error:
        raise _damaged(path, "Excel", error) from error


def parquet_rows(path: Path, names: list[str] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the records of a parquet file with their numbers, from 1.

    Args:
        path: The file.
        names: The columns to read; None for all.

    Raises:
        DataError: The file is damaged.
    """
    from pyarrow import ArrowException, parquet

    with seekable(path) as file:
        number = 0
        try:
            with parquet.ParquetFile(file) as table:
                batches = table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=names)
                while (batch := next(batches, None)) is not None:
                    for values in batch.to_pylist():
                        number += 1
                        yield number, values
        # pyarrow raises OSError for damaged data; reading happens only between two records, so no other is caught.
        except (ArrowException, OSError, ValueError) as error:
            raise _damaged(path, "parquet", error) from error


def parquet_names(path: Path) -> list[str]:
    """Returns the names of the columns of a parquet file; errors as for `parquet_rows`."""
    from pyarrow import ArrowException, parquet

    with seekable(path) as file:
        try:
            return list(parquet.ParquetFile(file).schema_arrow.names)
        except (ArrowException, OSError, ValueError) as error:
            raise _damaged(path, "parquet", error) from error


def _damaged(path: Path, kind: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(f"is a truncated or corrupt {kind} file ({reason}); download it again", path)
