"""Reads the files of a task, in any supported format, as conversations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scimind.data.content.fields import FieldOptions
from scimind.data.conversation import Conversation
from scimind.data.defects import RecordError
from scimind.data.formats.notes import FileNotes
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError


def read_records(
    task: str | Task, path: str | Path, options: FieldOptions | None = None
) -> Iterator[Conversation | DataError]:
    """Yields the records of a file as conversations; a faulty record is yielded as its error, and reading continues.

    Args:
        task: A task or its name, see `find_task`.
        path: The file.
        options: How fields are read; by default molecules are not checked.

    Raises:
        DataError: The file as a whole cannot be read.
        SciMindError: The task is unknown.
    """
    task, options = find_task(task), options or FieldOptions(molecules="as-is")
    for row in task.rows(Path(path), None, FileNotes(), options):
        if isinstance(row, DataError):
            yield row
            continue
        try:
            sample = task.sample(row.values, options)
        except RecordError as error:
            yield RecordError(error.defect, error.reason, row.path, row.line, error.text)
        else:
            place = (row.path, row.line, sample.repairs)
            yield Conversation(row.id, sample.rounds, *place, sample.text, sample.system, sample.readings)
