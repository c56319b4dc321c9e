"""Conversation JSON of any form: a list of conversations, or one conversation per line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from scimind.data.content.selfies import with_smiles
from scimind.data.conversation import Conversation, Round, parse_conversation
from scimind.data.defects import RecordError
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.text_files import open_text, repair_backslashes
from scimind.errors import DataError
from scimind.tokenizer.tags import BACKSLASH, DOUBLED_BACKSLASHES, SMILES_CONTENT, count_kept_marks


def read_conversations(
    path: str | Path, *, answered: bool = True, notes: FileNotes | None = None
) -> Iterator[Conversation | DataError]:
    """Yields the records of a conversation file, a JSON list or JSON Lines; a faulty record is yielded as its error.

    Args:
        path: The file.
        answered: Whether the last question of each record must have an answer, which prediction does not need.
        notes: Filled with the repairs made to the file; if given, invalid bytes are kept, see `open_text`.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or its list is not valid JSON.
    """
    path = Path(path)
    start, blocks = open_text(path, notes)
    if start not in "[{":
        shown = next(blocks).lstrip()[:100]
        raise DataError("is not JSON; give conversation JSON, or for a table another task", path, 1, shown)
    for number, value in enumerate(json_values(path, start, blocks, notes), start=1):
        if isinstance(value, DataError):
            yield value
            continue
        line, fields = value
        try:
            talk = parse_conversation(fields, name=f"{path.stem}-{number}", path=path, line=line, answered=answered)
            yield _repair(_with_own_tags(talk))
        except DataError as error:
            yield error


def _with_texts(conversation: Conversation, change: Callable[[str], str]) -> Conversation:
    """Returns the conversation with each of its texts changed by a function."""
    rounds = (Round(change(asked), None if answer is None else change(answer)) for asked, answer in conversation.rounds)
    return replace(conversation, rounds=tuple(rounds), system=change(conversation.system))


def _with_own_tags(conversation: Conversation) -> Conversation:
    """Returns the conversation with the tags of other projects and SELFIES replaced, and counts of both.

    Raises:
        DataError: SELFIES cannot be decoded.
    """
    readings: Counter[str] = Counter(conversation.readings)

    def read(text: str) -> str:
        text = with_smiles(text, readings)
        count_kept_marks(text, readings)
        return text

    try:
        return replace(_with_texts(conversation, read), readings=readings)
    except RecordError as error:
        raise RecordError(error.defect, error.reason, conversation.path, conversation.line, error.text) from error


def _repair(conversation: Conversation) -> Conversation:
    """Returns the conversation with single backslashes in place of doubled ones in its molecules."""
    repairs = 0

    def repaired(text: str) -> str:
        nonlocal repairs
        if "\\" not in text:
            return text
        text, forms = DOUBLED_BACKSLASHES.subn(lambda _: BACKSLASH, text)
        parts = [repair_backslashes(found[0]) for found in SMILES_CONTENT.finditer(text)]
        tags = iter(part for part, _ in parts)
        repairs += forms + sum(number for _, number in parts)
        return SMILES_CONTENT.sub(lambda _: next(tags), text)

    changed = _with_texts(conversation, repaired)
    return replace(changed, repairs=repairs)
