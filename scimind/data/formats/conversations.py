"""Files of any supported form to conversations of one task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scimind.data.content.fields import Settings
from scimind.data.conversation import Conversation, Round, parse_conversation
from scimind.data.defects import RecordError
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.text_files import FileNotes, open_text
from scimind.data.tables import repair_backslashes
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.tokenizer.tags import BACKSLASH, DOUBLED_BACKSLASHES, SMILES_CONTENT


def read_records(
    task: str | Task, path: str | Path, settings: Settings | None = None
) -> Iterator[Conversation | DataError]:
    """Yields the records of a file as conversations; a faulty one is yielded as its error, and the next one follows.

    Args:
        task: A task or its name, see `find_task`.
        path: The file.
        settings: How fields are read; by default molecules are taken as they are.

    Raises:
        DataError: The file as a whole cannot be read.
        SciMindError: An unknown task.
    """
    task, settings = find_task(task), settings or Settings(molecules="as-is")
    for row in task.rows(Path(path), None, FileNotes(), settings):
        if isinstance(row, DataError):
            yield row
            continue
        try:
            found = task.sample(row.values, settings)
        except RecordError as error:
            yield RecordError(error.defect, error.reason, row.path, row.line, error.text)
        else:
            yield Conversation(row.id, found.rounds, row.path, row.line, found.repairs, found.text)


def read_conversations(
    path: str | Path, *, answered: bool = True, notes: FileNotes | None = None
) -> Iterator[Conversation | DataError]:
    """Yields the records of a conversation file, a JSON list or JSON Lines; a faulty one as its error.

    Args:
        path: The file.
        answered: Whether the last question of each must have an answer; prediction input need not.
        notes: Filled with what was mended in the file; with it broken bytes are kept, see `open_text`.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or its list is broken.
    """
    path = Path(path)
    start, blocks = open_text(path, notes)
    if start not in "[{":
        shown = next(blocks).lstrip()[:100]
        raise DataError("is not JSON; give conversation JSON, or another task for a table", path, 1, shown)
    for number, value in enumerate(json_values(path, start, blocks), start=1):
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        try:
            found = parse_conversation(fields, name=f"{path.stem}-{number}", path=path, line=line, answered=answered)
        except DataError as error:
            yield error
        else:
            yield _repair(found)


def _repair(conversation: Conversation) -> Conversation:
    """Returns the conversation with doubled backslashes in its molecules made single."""
    repairs = 0

    def mend(text: str | None) -> str | None:
        nonlocal repairs
        if text is None or "\\" not in text:
            return text
        text, forms = DOUBLED_BACKSLASHES.subn(lambda _: BACKSLASH, text)
        parts = [repair_backslashes(found[0]) for found in SMILES_CONTENT.finditer(text)]
        tags = iter(part for part, _ in parts)
        repairs += forms + sum(number for _, number in parts)
        return SMILES_CONTENT.sub(lambda _: next(tags), text)

    rounds = tuple(Round(str(mend(question)), mend(answer)) for question, answer in conversation.rounds)
    return replace(conversation, rounds=rounds, repairs=repairs)
