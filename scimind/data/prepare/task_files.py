"""Prepares the files of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.formats.opening import name_of
from scimind.data.prepare.options import PrepareOptions, check_name
from scimind.data.prepare.pipeline import prepare_sources
from scimind.data.prepare.sources import LabelledFile, TaskSource
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec


def prepare(
    task: str | Path | Task,
    inputs: Sequence[str | Path],
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    options: PrepareOptions | None = None,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    **settings: Any,
) -> PrepareSummary:
    """Writes `name.json`, `name.mindrecord` with its `.db`, and `name.summary.json`; returns the summary.

    With `eval_fraction`, `name_eval.json` and `name_eval.mindrecord` hold the records set aside; with `test_fraction`,
    `name_test…` do. Records that were left out are listed in `name.rejects.jsonl`. All files appear together at the
    end, and none after an error. An interrupted run leaves `.name.parts`, from which the same call resumes.

    Args:
        task: One of `TASKS`, a file that defines a task, or a task; see `find_task`.
        inputs: The files, in this order; `LABEL=FILE` gives all records of a file a label.
        output_dir: Folder for the results; created if necessary.
        codec: The vocabulary.
        options: All settings; by default those of the command.
        name: Prefix of the files' names; by default the name of a single input, else that of the task.
        columns: The column of each field that is not found by its name, by field: a name, or a number from 1.
        only: The accepted values by column, for records that are only some of the files'; see `Only`.
        settings: Fields of `PrepareOptions` by name, which override those of `options`.

    Raises:
        DataError: A file or, with `on_bad` `stop`, a record is faulty; the message has file and line.
        SciMindError: A setting is wrong, the folder cannot be written, a file exists, or no record fits.
    """
    options = replace(options or PrepareOptions(), **settings)
    definitions = [] if isinstance(task, Task) else [task]
    task = find_task(task).with_columns(columns or {}).with_only(only or {})
    files = [LabelledFile.parse(path) for path in inputs]
    if not files:
        raise SciMindError("no input; give at least one file")
    name = check_name(name or (_stem(files[0].path) if len(files) == 1 else task.name))
    return prepare_sources([TaskSource(task, files)], output_dir, name, codec, options, definitions=definitions)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix in (".gz", ".bz2", ".xz", ".zst") else name_of(path)
