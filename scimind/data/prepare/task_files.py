"""Prepares the files of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.formats.opening import kept_pipes, name_of, regular_file
from scimind.data.prepare.options import PrepareOptions, check_name
from scimind.data.prepare.pipeline import prepare_sources
from scimind.data.prepare.sources import LabelledFile, TaskSource
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.tasks.registry import find_task, task_of_tree
from scimind.data.tasks.tables import TableQuestion
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
    definition: Mapping[str, Any] | None = None,
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
        definition: The content of the task file `name.task.yaml` to write next to the data; None to write none.
        settings: Fields of `PrepareOptions` by name, which override those of `options`.

    Raises:
        DataError: A file or, with `on_bad` `stop`, a record is faulty; the message has file and line.
        SciMindError: A setting is wrong, the folder cannot be written, a file exists, or no record fits.
    """
    options = replace(options or PrepareOptions(), **settings)
    definitions = [] if isinstance(task, Task) else [task]
    task = find_task(task).with_columns(columns or {})
    files = [LabelledFile.parse(path) for path in inputs]
    if not files:
        raise SciMindError("no input; give at least one file")
    name = check_name(name or (_stem(files[0].path) if len(files) == 1 else task.name))
    sources = [TaskSource(task, files)]
    return prepare_sources(sources, output_dir, name, codec, options, definitions=definitions, definition=definition)


def prepare_table(
    question: TableQuestion, table: str | Path, output_dir: str | Path, **settings: Any
) -> PrepareSummary:
    """Prepares a table without a task file, and writes the task file that it stands for; see `prepare`.

    Args:
        question: What is asked about the molecules.
        table: The file.
        output_dir: Folder for the results.
        settings: Further arguments of `prepare`.

    Raises:
        SciMindError: As `prepare`, and if the table has no such question, see `TableQuestion`.
    """
    with kept_pipes():
        definition = question.definition(regular_file(Path(table)))
        return prepare(task_of_tree(definition), [table], output_dir, definition=definition, **settings)


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix in (".gz", ".bz2", ".xz", ".zst") else name_of(path)
