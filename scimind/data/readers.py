"""Files of any supported form to conversations of one task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scimind.data.conversation import Conversation, Round, parse_conversation
from scimind.data.files import open_text
from scimind.data.json_text import json_values
from scimind.data.rendering import QUESTIONS, ask
from scimind.data.tables import Pair, read_pairs, repair_backslashes
from scimind.errors import DataError, SciMindError
from scimind.tokenizer import TokenCodec

TASKS = (*QUESTIONS, "conversation")

_TAG = re.compile(r"(?<=<smiles>)[^<]*(?=</smiles>)")
_FORMS = re.compile(r"(?:\{\|\\\|\}){2,}")  # the same in the published model's form: {|\|}{|\|}


def read_records(task: str, path: str | Path) -> Iterator[Conversation | DataError]:
    """Yields the records of a file as conversations; a faulty one is yielded as its error, and the next one follows.

    Args:
        task: `smiles2text` and `text2smiles` read tables (see `tables`) and ask accordingly, `conversation` reads
            conversation JSON.
        path: The file.

    Raises:
        DataError: The file as a whole cannot be read.
        SciMindError: An unknown task.
    """
    path = Path(path)
    if task == "conversation":
        yield from read_conversations(path)
    elif task in QUESTIONS:
        for pair in read_pairs(path):
            yield pair if isinstance(pair, DataError) else pair_to_conversation(task, pair)
    else:
        raise SciMindError(f"task ({task!r}) must be one of {', '.join(TASKS)}")


def read_conversations(path: str | Path, *, answered: bool = True) -> Iterator[Conversation | DataError]:
    """Yields the records of a conversation file, a JSON list or JSON Lines; a faulty one as its error.

    Args:
        path: The file.
        answered: Whether the last question of each must have an answer; prediction input need not.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or its list is broken.
    """
    path = Path(path)
    start, blocks = open_text(path)
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


def pair_to_conversation(task: str, pair: Pair) -> Conversation:
    """Returns the conversation of one round that a molecule and its description make in one direction."""
    given, answer = pair.molecule, TokenCodec.escape(pair.description)
    if task == "text2smiles":
        given, answer = pair.description, TokenCodec.wrap(pair.molecule, "smiles")
    return Conversation(pair.id, (Round(ask(task, given), answer),), pair.path, pair.line, pair.repairs)


def _repair(conversation: Conversation) -> Conversation:
    """Returns the conversation with doubled backslashes in its molecules made single."""
    repairs = 0

    def mend(text: str | None) -> str | None:
        nonlocal repairs
        if text is None or "\\" not in text:
            return text
        text, forms = _FORMS.subn(lambda _: "{|\\|}", text)
        parts = [repair_backslashes(found[0]) for found in _TAG.finditer(text)]
        tags = iter(part for part, _ in parts)
        repairs += forms + sum(number for _, number in parts)
        return _TAG.sub(lambda _: next(tags), text)

    rounds = tuple(Round(str(mend(question)), mend(answer)) for question, answer in conversation.rounds)
    return Conversation(conversation.id, rounds, conversation.path, conversation.line, repairs)
