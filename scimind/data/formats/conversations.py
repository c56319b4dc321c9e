"""Conversation JSON: a list of conversations, or one conversation per line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from scimind.data.conversation import Conversation, Round, parse_conversation
from scimind.data.formats.json_stream import json_values
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.text_files import open_text, repair_backslashes
from scimind.errors import DataError
from scimind.tokenizer.tags import BACKSLASH, DOUBLED_BACKSLASHES, SMILES_CONTENT


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
        except DataError as error:
            yield error
        else:
            yield _repair(talk)


def _repair(conversation: Conversation) -> Conversation:
    """Returns the conversation with single backslashes in place of doubled ones in its molecules."""
    repairs = 0

    def repaired(text: str | None) -> str | None:
        nonlocal repairs
        if text is None or "\\" not in text:
            return text
        text, forms = DOUBLED_BACKSLASHES.subn(lambda _: BACKSLASH, text)
        parts = [repair_backslashes(found[0]) for found in SMILES_CONTENT.finditer(text)]
        tags = iter(part for part, _ in parts)
        repairs += forms + sum(number for _, number in parts)
        return SMILES_CONTENT.sub(lambda _: next(tags), text)

    rounds = tuple(Round(str(repaired(question)), repaired(answer)) for question, answer in conversation.rounds)
    return replace(conversation, rounds=rounds, repairs=repairs)
