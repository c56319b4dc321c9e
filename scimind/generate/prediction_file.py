"""Predictions on disk: written as they arrive, in input order, and continued when a run is started again.

A prediction file `x.jsonl` holds one object per prompt. Next to it, `x.jsonl.run.json` records what the answers depend
on (settings, checkpoint, tokenizer), so that answers of different runs are never mixed. `x.txt` and `x.csv` are
assembled at the end from `x.txt.part.jsonl` and `x.csv.part.jsonl`. Only complete lines count: a line that a killed run
left incomplete is dropped.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from scimind.atomic import replace_text
from scimind.data.formats.safe_cells import safe_cell
from scimind.errors import DataError, SciMindError
from scimind.small_files import read_small_json

SUFFIXES = (".jsonl", ".txt", ".csv")
_COLUMNS = ("id", "rank", "output", "canonical", "log_likelihood", "finish_reason", "message", "reference")
_START_OVER = "give --overwrite to start over, or another --save_file"


def text_line(output: str) -> str:
    r"""Returns an answer as one line: each line break becomes a literal `\n`, as in a text file of prompts."""
    return output.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def check_output(path: str | Path) -> None:
    """Creates the folder of a prediction file if necessary, and checks that it is writable.

    Raises:
        DataError: The suffix is not supported, the path is a folder, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f"prediction file must end in {' or '.join(SUFFIXES)}; rename it", path)
    if path.is_dir():
        raise DataError("is a folder; give the name of a file", path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.write(b"\n")
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error}); choose another --save_file or fix its permissions"
        raise DataError(reason, path) from error


def files_next_to(path: str | Path) -> list[Path]:
    """Returns the files that a run may write or remove next to its prediction file."""
    path = Path(path)
    return [_rows_file(path), _run_file(path), _old(path)]


class PredictionWriter:
    """Writes predictions in input order while they arrive in any order.

    Only one may write a file at a time: hold its `scimind.locking.output_lock`.

    Args:
        path: The file, `.jsonl` (one object per prompt), `.txt` (one line per prompt, its first answer) or `.csv` (a
            line for each answer; texts that a spreadsheet would take for formulas get an apostrophe). Its folder is
            created if necessary.
        expected: What identifies each prompt's row, in input order: `id`, `prompt` and anything else that is known
            before it is answered. Rows of an earlier run are checked against it.
        run: What the answers depend on, as JSON values. Kept next to the file and compared when a run continues.
        overwrite: Start over instead of continuing.

    Raises:
        DataError: The suffix is not supported, the file cannot be written, or it holds predictions for another input
            or of another run.

    Attributes:
        failures: Id and message of each written prompt without an answer.
    """

    def __init__(
        self, path: str | Path, expected: Sequence[Mapping[str, Any]], run: Mapping[str, Any], overwrite: bool = False
    ) -> None:
        """Opens the file, after the predictions of an earlier run if there are any."""
        check_output(path)
        self.path = Path(path)
        self.rows_path, self.run_path = _rows_file(self.path), _run_file(self.path)
        self._expected = expected
        self._depends_on = list(run)
        digest = hashlib.sha256(json.dumps(list(map(dict, expected))).encode()).hexdigest()[:16]
        self._run = {**run, "input": digest, "prompts": len(expected), "complete": False}
        self._waiting: dict[int, Mapping[str, Any]] = {}
        self._file: io.FileIO | None = None
        self._length = 0  # bytes of complete rows
        self.written = 0
        self.failures: list[str] = []
        try:
            if overwrite:
                self._set_aside()
            self._continue()
        except OSError as error:
            self.close()
            raise self._disk_error(error) from error
        except SciMindError:
            self.close()
            raise

    @property
    def complete(self) -> bool:
        """Whether every prompt has its row."""
        return self.written == len(self._expected)

    def add(self, index: int, row: Mapping[str, Any]) -> None:
        """Adds one prompt's row, which is written once all prompts before it are.

        Args:
            index: The prompt's place in the input, from 0. Rows that are already written are skipped.
            row: The row, as JSON values.
        """
        if index >= self.written:
            self._waiting[index] = row

    def flush(self) -> None:
        """Writes every row whose turn it is to the disk.

        Raises:
            DataError: The disk is full or fails. Rows written earlier stay usable.
        """
        rows: list[Mapping[str, Any]] = []
        while self.written + len(rows) in self._waiting:
            rows.append(self._waiting.pop(self.written + len(rows)))
        if not rows or self._file is None:
            return
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(
            "utf-8", "backslashreplace"
        )
        try:
            done = 0
            while done < len(content):  # a full disk may take a part before it reports an error
                done += self._file.write(content[done:])
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(self._length)
            raise self._disk_error(error) from error
        self._length += len(content)
        self.written += len(rows)
        self._note_failures(rows)

    def finish(self) -> None:
        """Marks the run as complete and, for a text file, assembles it.

        A text file has an empty line for a prompt without an answer; the reasons are in the record of the run.

        Raises:
            DataError: The disk is full or fails; starting the run again repeats the assembly.
        """
        assert self.complete, "finish() before every prompt has its row"
        self.close()
        try:
            if self.rows_path.exists() and self.rows_path != self.path:
                rows = (json.loads(line) for line in self.rows_path.read_bytes().splitlines())
                _replace(self.path, _as_text(rows) if self.path.suffix == ".txt" else _as_table(rows))
            _replace(self.run_path, _pretty({**self._run, "complete": True, "failures": self.failures}))
            if self.rows_path != self.path:
                self.rows_path.unlink(missing_ok=True)
            _old(self.path).unlink(missing_ok=True)
        except OSError as error:
            raise self._disk_error(error) from error

    def close(self) -> None:
        """Closes the file; the written rows stay for a run that continues."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> PredictionWriter:
        """Returns the writer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes the file."""
        self.close()

    def _set_aside(self) -> None:
        """Keeps the predictions of an earlier run as `.x.jsonl.old` until this run is complete, and starts over.

        What an earlier run that started over has kept is kept further, and its own predictions are removed.
        """
        if self.path.exists() and not _old(self.path).exists():
            os.replace(self.path, _old(self.path))
        for old in (self.rows_path, self.path, self.run_path):
            old.unlink(missing_ok=True)

    def _continue(self) -> None:
        """Opens the file after the last complete row of an earlier run, or creates it."""
        earlier = self._earlier_run()
        as_text = self.rows_path != self.path
        if as_text and self.path.exists() and earlier is not None and earlier["complete"]:
            self._check_run(earlier, ("input",))
            self.rows_path.unlink(missing_ok=True)
            self.written = len(self._expected)  # the text is there; its rows are not kept
            self.failures = list(earlier.get("failures", ()))
            return
        exists = self.rows_path.exists()
        if self.path.exists() and self.path.stat().st_size and (earlier is None or not exists):
            raise DataError(f"exists, but no record of its run is next to it; {_START_OVER}", self.path)
        self._file = self.rows_path.open("r+b" if exists else "x+b", buffering=0)
        self._length = self._check_rows(self._file.read())
        if self.written and earlier is not None:
            self._check_run(earlier)
        self._file.truncate(self._length)
        self._file.seek(self._length)
        _replace(self.run_path, _pretty(self._run))

    def _earlier_run(self) -> dict[str, Any] | None:
        """Returns the record of an earlier run, or None if there was no such run."""
        try:
            noted = read_small_json(self.run_path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise DataError(f"is not the record of a prediction run; {_START_OVER}", self.run_path) from error
        if "complete" not in noted:
            raise DataError(f"is not the record of a prediction run; {_START_OVER}", self.run_path)
        return noted

    def _check_run(self, earlier: Mapping[str, Any], also: Sequence[str] = ()) -> None:
        """Compares what the answers depend on.

        Args:
            earlier: The record of the earlier run.
            also: Further keys to compare. The input is compared this way only if there are no rows to compare with:
                otherwise prompts may have been added at its end.

        Raises:
            DataError: Something differs; each difference is named.
        """
        names = [*self._depends_on, *also]
        was, now = ({name: json.dumps(notes.get(name)) for name in names} for notes in (earlier, self._run))
        changed = [f"{name} was {was[name]} and is {now[name]}" for name in names if was[name] != now[name]]
        if changed:
            raise DataError(f"was written by another run ({'; '.join(changed)}); {_START_OVER}", self.path)

    def _check_rows(self, content: bytes) -> int:
        """Checks and counts the rows in the file.

        Returns:
            Length of the complete rows in bytes, without an incomplete last line.
        """
        lines = content.split(b"\n")
        lines.pop()  # empty after the last line break, incomplete otherwise
        length = 0
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                if number == len(lines):
                    break
                reason = f"is not a prediction row; {_START_OVER}"
                raise DataError(reason, self.rows_path, number, line.decode("utf-8", "replace")) from error
            if number > len(self._expected):
                reason = f"holds more predictions than the input has prompts ({len(self._expected)}); {_START_OVER}"
                raise DataError(reason, self.rows_path)
            wanted = self._expected[number - 1]
            if not isinstance(row, dict) or any(row.get(name) != value for name, value in wanted.items()):
                reason = f"does not answer the input's prompt {wanted.get('id')}: the input changed; {_START_OVER}"
                raise DataError(reason, self.rows_path, number)
            self.written = number
            self._note_failures([row])
            length += len(line) + 1
        return length

    def _note_failures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        failed = [row for row in rows if row.get("finish_reason") == "error"]
        self.failures += [f"prompt {row.get('id')}: {row.get('message', '')}" for row in failed]

    def _disk_error(self, error: OSError) -> DataError:
        """Returns the error to raise when the disk fails."""
        place = error.filename or self.path
        reason = f"cannot be written ({error.strerror or error})"
        if not self.written:
            return DataError(f"{reason}; make room or choose another --save_file", place)
        done = f"{self.written} of {len(self._expected)} predictions are written and kept"
        return DataError(f"{reason}; {done}: make room, then start again to continue", place)


def _as_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns the first answer to each prompt, one per line."""
    return "".join(text_line(row["output"]) + "\n" for row in rows)


def _as_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns a table with a line for each answer; a prompt without one has a line with an empty output."""
    table = io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for rank, answer in enumerate(row.get("outputs") or [row], start=1):
            cells = {"id": row["id"], "reference": row.get("reference", ""), **answer, "rank": rank}
            writer.writerow({name: safe_cell(cell) for name, cell in cells.items()})
    return table.getvalue()


def _rows_file(path: Path) -> Path:
    return path if path.suffix == ".jsonl" else path.with_name(path.name + ".part.jsonl")


def _run_file(path: Path) -> Path:
    return path.with_name(path.name + ".run.json")


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _replace(path: Path, content: str) -> None:
    """Replaces a file; its content is on the disk when this returns."""
    replace_text(path, content, errors="backslashreplace", durable=True)


def _pretty(values: Mapping[str, Any]) -> str:
    """Returns values as indented JSON."""
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
