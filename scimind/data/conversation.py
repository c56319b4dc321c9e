"""Conversations: rounds of a question and its answer, as in the files for finetuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scimind.errors import DataError


class Round(NamedTuple):
    """A question and its answer, which is None if it is still open."""

    question: str
    answer: str | None


@dataclass(frozen=True)
class Conversation:
    """A conversation, or a text without questions.

    Args:
        id: Its name in the file, or one made from the name of the file and the number of the record.
        rounds: At least one round, of which only the last answer may be None; empty if there is only a `text`.
        path: The file that it comes from; None if it does not come from a file.
        line: The line where it begins, from 1.
        repairs: Number of doubled backslashes in molecules that were made single.
        text: Text that is trained on without questions.
    """

    id: str
    rounds: tuple[Round, ...]
    path: Path | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)
    repairs: int = field(default=0, compare=False)
    text: str | None = None

    def to_json(self) -> dict[str, object]:
        """Returns the record as conversation JSON, without answers that are None; a text has no turns."""
        if self.text is not None:
            return {"id": self.id, "text": self.text}
        turns: list[dict[str, str]] = []
        for question, answer in self.rounds:
            turns.append({"from": "human", "value": question})
            if answer is not None:
                turns.append({"from": "gpt", "value": answer})
        return {"id": self.id, "conversation": turns}


def parse_conversation(value: object, *, name: str, path: Path, line: int, answered: bool = True) -> Conversation:
    """Returns the conversation in a JSON value.

    Args:
        value: `{"id": …, "conversation": [{"from": "human" | "gpt", "value": …}, …]}`; the id is optional.
        name: The id of a record without one.
        path: The file, for errors and for the result.
        line: The line where the record begins.
        answered: Whether the last question must have an answer too, as for finetuning.

    Raises:
        DataError: The value does not have that form; the message says why.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("conversation"), Sequence):
        has = f"has the keys {', '.join(map(str, value))}" if isinstance(value, Mapping) else f"is {value!r:.60}"
        raise DataError(f'a record needs a list under the key "conversation"; this one {has}', path, line)
    turns = [_parse_turn(turn, number, path, line) for number, turn in enumerate(value["conversation"], start=1)]
    if not turns:
        raise DataError("the conversation is empty; give a question and an answer", path, line)
    for number, (speaker, _) in enumerate(turns, start=1):
        expected = "human" if number % 2 else "gpt"
        if speaker != expected:
            raise DataError(
                f"turn {number} is from {speaker}, not {expected}; questions and answers must alternate", path, line
            )
    if len(turns) % 2 and answered:
        raise DataError(
            "the last question of the conversation has no answer; add a turn from gpt", path, line, turns[-1][1]
        )
    texts: list[str | None] = [text for _, text in turns]
    texts += [None] * (len(texts) % 2)
    rounds = tuple(Round(str(question), answer) for question, answer in zip(texts[::2], texts[1::2], strict=True))
    return Conversation(str(value.get("id", name)), rounds, path, line)


def _parse_turn(turn: object, number: int, path: Path, line: int) -> tuple[str, str]:
    """Returns the speaker and the text of a turn."""
    if not isinstance(turn, Mapping) or not isinstance(turn.get("value"), str) or "from" not in turn:
        raise DataError(f'turn {number} needs the keys "from" and "value", both text', path, line, repr(turn))
    if turn["from"] not in ("human", "gpt"):
        raise DataError(
            f"turn {number} is from {turn['from']!r}; use human for a question, gpt for an answer", path, line
        )
    if not turn["value"].strip():
        raise DataError(f"turn {number} is empty; write its text or remove the record", path, line)
    return turn["from"], turn["value"]
