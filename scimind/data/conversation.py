"""Conversations: rounds of a question and its answer, as in the files for finetuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scimind.data.conversation_forms import read_form
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
        system: Text that precedes the first question in the prompt; empty if there is none.
        readings: How often something was read differently from how it is written, or not used, by what was done.
    """

    id: str
    rounds: tuple[Round, ...]
    path: Path | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)
    repairs: int = field(default=0, compare=False)
    text: str | None = None
    system: str = ""
    readings: Mapping[str, int] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, object]:
        """Returns the record as conversation JSON, without answers that are None; a text has no turns."""
        if self.text is not None:
            return {"id": self.id, "text": self.text}
        turns: list[dict[str, str]] = []
        for question, answer in self.rounds:
            turns.append({"from": "human", "value": question})
            if answer is not None:
                turns.append({"from": "gpt", "value": answer})
        return {"id": self.id, **({"system": self.system} if self.system else {}), "conversation": turns}


def parse_conversation(value: object, *, name: str, path: Path, line: int, answered: bool = True) -> Conversation:
    """Returns the conversation in a JSON value.

    Args:
        value: `{"id": …, "system": …, "conversation": [{"from": "human" | "gpt", "value": …}, …]}`, where id and system
            are optional; or a record of ShareGPT (`conversations`), OpenAI (`messages`) or Alpaca (`instruction`).
        name: The id of a record without one.
        path: The file, for errors and for the result.
        line: The line where the record begins.
        answered: Whether the last question must have an answer too, as for finetuning.

    Raises:
        DataError: The value has none of these forms; the message says why.
    """
    talk = read_form(value, (path, line))
    if not talk.turns:
        raise DataError("the conversation is empty; give a question and an answer", path, line)
    for place, turn in enumerate(talk.turns, start=1):
        expected = "human" if place % 2 else "gpt"
        if turn.speaker != expected:
            reason = f"turn {turn.number} is from {turn.speaker}, not {expected}; questions and answers must alternate"
            raise DataError(reason, path, line)
    texts: list[str | None] = [turn.text for turn in talk.turns]
    if len(texts) % 2 and answered:
        reason = "the last question of the conversation has no answer; add it"
        raise DataError(reason, path, line, talk.turns[-1].text)
    texts += [None] * (len(texts) % 2)
    rounds = tuple(Round(str(question), answer) for question, answer in zip(texts[::2], texts[1::2], strict=True))
    given = value.get("id") if isinstance(value, Mapping) else None
    readings: Counter[str] = Counter({f'key "{key}" not used': count for key, count in talk.unused.items()})
    return Conversation(
        name if given is None else str(given), rounds, path, line, system=talk.system, readings=readings
    )
