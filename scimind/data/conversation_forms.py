"""The forms in which others write conversations: ShareGPT, OpenAI's messages and Alpaca, besides SciMind's.

A record's form follows from its keys, so a file may mix forms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scimind.errors import DataError

# The key of the list of turns, with the keys of a turn's speaker and text, in each form that has turns.
_TURNS = {
    "conversation": ("from", "value"),
    "conversations": ("from", "value"),
    "messages": ("role", "content"),
}
_ALPACA = ("instruction", "input", "output", "history")
_USED = {"id", "system"}
_SPEAKERS = {
    "human": "human",
    "user": "human",
    "gpt": "gpt",
    "assistant": "gpt",
    "system": "system",
    "developer": "system",
}
_FORMS = (
    '"conversation" (SciMind), "conversations" (ShareGPT), "messages" (OpenAI), or "instruction" and "output" (Alpaca)'
)

Place = tuple[Any, int]  # the file and the line of a record, for errors


class Turn(NamedTuple):
    """A turn: its number in the record, from 1, who speaks (`human`, `gpt`, `system`), and the text."""

    number: int
    speaker: str
    text: str


class Talk(NamedTuple):
    """The content of a record in any form.

    Args:
        system: The system text, stripped; empty if there is none.
        turns: Questions (`human`) and answers (`gpt`) in the order of the record.
        unused: Number of keys, by name, that the record has and that are not read.
    """

    system: str
    turns: list[Turn]
    unused: Counter[str]


def holds_turns(keys: Collection[str]) -> bool:
    """Returns whether a record with these keys is a conversation in one of the forms that list turns."""
    return any(key in keys for key in _TURNS)


def is_alpaca(keys: Collection[str]) -> bool:
    """Returns whether a record with these keys may be a conversation of Alpaca; tasks have such columns too."""
    return {"instruction", "output"} <= set(keys)


def read_form(record: object, place: Place) -> Talk:
    """Returns the content of a record.

    Args:
        record: A JSON value.
        place: The file and the line where the record begins.

    Raises:
        DataError: It has none of the forms, or two of them; a turn is malformed, or contains a tool or an image.
    """
    if not isinstance(record, Mapping):
        raise DataError(f"this is not a record but {record!r:.60}; a record needs {_FORMS}", *place)
    found = [key for key in _TURNS if key in record] + ["instruction"] * ("instruction" in record)
    if len(found) > 1:
        raise DataError(f"the record has both {found[0]!r} and {found[1]!r}; keep one of them", *place)
    if not found:
        keys = ", ".join(map(str, record)) or "none"
        raise DataError(f"the form of the record is unknown: its keys are {keys}; it needs {_FORMS}", *place)
    if record.get("tools") or record.get("functions"):
        raise DataError("the record has tools, which are not supported; remove the record", *place)
    if record.get("images") or record.get("image"):
        raise DataError("the record has images, which are not supported; remove the record", *place)
    unused: Counter[str] = Counter()
    if found == ["instruction"]:
        turns = list(_alpaca_turns(record, place))
        known: Sequence[str] = _ALPACA
    else:
        turns = list(_listed_turns(record, found[0], unused, place))
        known = found
    unused.update(str(key) for key in record if key not in _USED and key not in known)
    system = _optional(record, "system", place)
    return _without_system(system, turns, unused, place)


def _without_system(system: str, turns: list[Turn], unused: Counter[str], place: Place) -> Talk:
    """Returns the content, with system turns at the beginning moved to the system text."""
    texts = [system] if system else []
    while turns and turns[0].speaker == "system":
        text = turns.pop(0).text.strip()
        texts += [text] if text not in texts else []
    later = next((turn for turn in turns if turn.speaker == "system"), None)
    if later is not None:
        reason = f"turn {later.number} is a system text after the first question; move it to the beginning"
        raise DataError(reason, *place, later.text)
    if system and len(texts) > 1:
        raise DataError("the record has a system text and a different system turn; keep one of them", *place, texts[1])
    return Talk("\n\n".join(texts), turns, unused)


def _listed_turns(record: Mapping[str, Any], key: str, unused: Counter[str], place: Place) -> Iterator[Turn]:
    """Yields the turns of a form that lists them."""
    listed, keys = record[key], _TURNS[key]
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise DataError(f'"{key}" must be a list of turns; this one is {listed!r:.60}', *place)
    for number, turn in enumerate(listed, start=1):
        speaker, text = keys
        if not isinstance(turn, Mapping) or speaker not in turn:
            raise DataError(f'turn {number} needs the keys "{speaker}" and "{text}", both text', *place, repr(turn))
        if not isinstance(turn[speaker], str) or turn[speaker] not in _SPEAKERS:
            raise DataError(f"turn {number} is from {turn[speaker]!r:.60}; {_advice(turn[speaker], key)}", *place)
        if turn.get("tool_calls") or turn.get("function_call"):
            raise DataError(f"turn {number} calls a tool, which is not supported; remove the record", *place)
        if turn.get("weight", 1) != 1:
            reason = f'turn {number} has "weight" {turn["weight"]!r}, but every answer is trained on; remove the key'
            raise DataError(reason, *place)
        unused.update(str(name) for name in turn if name not in (*keys, "weight"))
        yield Turn(number, _SPEAKERS[turn[speaker]], _text_of(turn.get(text), number, keys, place))


def _advice(speaker: object, key: str) -> str:
    """Returns what to do about a turn of an unknown speaker."""
    if speaker in ("tool", "function", "function_call", "observation", "ipython"):
        return "tools are not supported; remove the record"
    if key == "messages":
        return "use system, user or assistant"
    return "use human for a question, gpt for an answer"


def _text_of(content: object, number: int, keys: tuple[str, str], place: Place) -> str:
    """Returns the text of a turn, which OpenAI also writes as a list of parts; parts become lines."""
    if isinstance(content, list):
        for part in content:
            kind = part.get("type") if isinstance(part, Mapping) else None
            if kind != "text" or not isinstance(part.get("text"), str):
                what = f"a part of type {kind}" if isinstance(kind, str) else f"the part {part!r:.40}"
                raise DataError(f"turn {number} has {what}; only text is supported, so remove the record", *place)
        content = "\n".join(part["text"] for part in content)
    if not isinstance(content, str):
        shown = repr({keys[1]: content})
        raise DataError(f'turn {number} needs the keys "{keys[0]}" and "{keys[1]}", both text', *place, shown)
    if not content.strip():
        raise DataError(f"turn {number} is empty; write its text or remove the record", *place)
    return content


def _alpaca_turns(record: Mapping[str, Any], place: Place) -> Iterator[Turn]:
    """Yields the turns of an Alpaca record: earlier rounds, then the instruction with its input, then the output."""
    history = record.get("history") or []
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) and text.strip() for text in pair)
        for pair in history
    ):
        raise DataError('"history" must be a list of pairs [question, answer], all text', *place, repr(history))
    texts = [text for pair in history for text in pair]
    parts = [part for name in ("instruction", "input") if (part := _optional(record, name, place))]
    if not parts:
        raise DataError('"instruction" and "input" are empty; write the question or remove the record', *place)
    texts.append("\n".join(parts))
    if "output" in record:
        output = _optional(record, "output", place)
        if not output:
            raise DataError('"output" is empty; write the answer or remove the record', *place)
        texts.append(output)
    for number, text in enumerate(texts, start=1):
        yield Turn(number, "human" if number % 2 else "gpt", text)


def _optional(record: Mapping[str, Any], name: str, place: Place) -> str:
    """Returns a text of a record without outer white space; empty if it is missing or null."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise DataError(f'"{name}" must be text', *place, repr(value))
    return (value or "").strip()
