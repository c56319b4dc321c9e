"""Reads the records of a JSON list, of JSON Lines or of an object that wraps a list, one by one.

The text comes in blocks, so that memory does not grow with the file; no record may be longer than `LONGEST_LINE`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from scimind.data.conversation_forms import holds_turns
from scimind.data.defects import LONG_LINE, RecordError
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.text_files import LONGEST_LINE, lines_of, open_text
from scimind.errors import DataError

_SPACE = re.compile(r"\s*")
# An error, or the end of a number, this close to the end of the text read so far may only mean that the value
# continues in the next block.
_LONGEST_CUT = 16
# The keys of a turn of a conversation: a list of these is a record's content, not a list of records.
_TURN = ({"from", "value"}, {"role", "content"})

JsonValue = tuple[int, Any] | DataError


def json_values(path: Path, start: str, blocks: Iterator[str], notes: FileNotes | None = None) -> Iterator[JsonValue]:
    """Yields the records of a JSON file, each with the number of the line where it begins.

    A broken line of JSON Lines is yielded as an error, since the next line can be read; a broken list raises one.

    Args:
        path: The file, for errors and for a second look at an object that is too long for one record.
        start: The first character of the file: `[` for a list; else it is JSON Lines, a single record, or an object
            that wraps one list of records.
        blocks: The text of the file, see `open_text`.
        notes: Filled with the form of the file.

    Raises:
        DataError: The list is not valid JSON, is empty or does not end; an object holds several lists.
    """
    notes = FileNotes() if notes is None else notes
    if start == "[":
        notes.format = "JSON list"
        yield from _list_values(path, _Window(path, blocks))
        return
    first, blocks = _first_lines(blocks)
    if _are_lines(first):
        notes.format = "JSON Lines"
        yield from _line_values(path, lines_of(blocks, LONGEST_LINE))
    else:
        yield from _object_values(path, _Window(path, blocks), notes)


def _first_lines(blocks: Iterator[str]) -> tuple[list[str], Iterator[str]]:
    """Returns up to two lines that are not blank, and the blocks from the beginning."""
    read: list[str] = []
    lines: list[str] = []
    size = 0
    for block in blocks:
        read.append(block)
        size += len(block)
        lines = [line for line in "".join(read).split("\n") if line.strip()]
        if len(lines) > 2 or size > 3 * LONGEST_LINE:
            break
    return lines[:2], chain(read, blocks)


def _are_lines(first: list[str]) -> bool:
    """Returns whether a file that begins with these lines has a record on each line."""
    parsed = [_is_json(line) for line in first]
    return len(parsed) == 2 and (parsed[0] or parsed[1])


def _is_json(line: str) -> bool:
    try:
        return len(line) <= LONGEST_LINE and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _line_values(path: Path, lines: Iterator[str]) -> Iterator[JsonValue]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            yield _too_long(path, number, line)
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield DataError(f"broken JSON ({_reason(error)}); fix this line", path, number, line.strip())


def _list_values(path: Path, window: _Window) -> Iterator[JsonValue]:
    window.skip_space()
    window.position += 1
    if window.skip_space() == "]":
        raise DataError("the list is empty; give a file with records", path)
    yield from _items(window)
    if window.skip_space():
        raise window.broken(window.position, "text after the end of the list")


def _items(window: _Window) -> Iterator[JsonValue]:
    """Yields the items of a list, from the first one to its closing bracket."""
    while True:
        window.skip_space()
        line = window.line()
        value = window.value()
        yield value if isinstance(value, DataError) else (line, value)
        mark = window.skip_space()
        if mark not in (",", "]"):
            raise window.broken(window.position, "a comma or the end of the list is missing")
        window.position += 1
        if mark == "]":
            return


def _object_values(path: Path, window: _Window, notes: FileNotes) -> Iterator[JsonValue]:
    """Yields the single record of a file, or the records of the one list that its object wraps."""
    window.skip_space()
    line = window.line()
    value = window.value(may_be_longer=True)
    if value is _LONGER:
        notes.format = "JSON object"
        key = _only_list(path, _lists_of_object(path))
        notes.add_remark(f"records under the key {key!r}")
        for name in _keys(window):
            if name == key:
                window.position += 1  # the opening bracket
                yield from _items(window)
            else:
                window.value()
        return
    more = window.skip_space()
    if more == "{":
        # Records one after another, each on several lines.
        notes.format = "JSON records"
        yield line, value
        while window.skip_space():
            line = window.line()
            value = window.value()
            yield value if isinstance(value, DataError) else (line, value)
        return
    if more:
        raise window.broken(window.position, "text after the end of the object")
    lists = [name for name, content in value.items() if _is_list_of_records(content)]
    if lists and not holds_turns(value) and not _has_answers(value):
        notes.format = "JSON object"
        key = _only_list(path, lists)
        notes.add_remark(f"records under the key {key!r}")
        yield from ((line, record) for record in value[key])
    else:
        notes.format = "JSON record"
        yield line, value


def _is_list_of_records(content: object) -> bool:
    if not isinstance(content, list) or not content or not all(isinstance(item, dict) for item in content):
        return False
    return not any(turn <= content[0].keys() for turn in _TURN)


def _has_answers(record: dict[str, Any]) -> bool:
    """Returns whether an object is a prompt with its best answer and the list of its answers."""
    return isinstance(record.get("output"), str) and isinstance(record.get("outputs"), list)


def _lists_of_object(path: Path) -> list[str]:
    """Returns the keys of a long object that hold lists; its values are read one by one and not kept."""
    window = _Window(path, open_text(path, FileNotes())[1])
    lists = []
    for name in _keys(window):
        if window.skip_space() == "[":
            lists.append(name)
            window.position += 1
            if window.skip_space() == "]":
                window.position += 1
            else:
                for _ in _items(window):
                    pass
        else:
            window.value()
    return lists


def _keys(window: _Window) -> Iterator[str]:
    """Yields the keys of the object at the position; whoever asks for the next one has moved past the value."""
    window.skip_space()
    window.position += 1
    while True:
        if window.skip_space() != '"':
            raise window.broken(window.position, "Expecting property name enclosed in double quotes")
        name = window.value()
        if window.skip_space() != ":":
            raise window.broken(window.position, "Expecting ':' delimiter")
        window.position += 1
        window.skip_space()
        yield str(name)
        mark = window.skip_space()
        if mark not in (",", "}"):
            raise window.broken(window.position, "a comma or the end of the object is missing")
        window.position += 1
        if mark == "}":
            if window.skip_space():
                raise window.broken(window.position, "text after the end of the object")
            return


def _only_list(path: Path, lists: list[str]) -> str:
    if len(lists) != 1:
        what = f"several lists ({', '.join(lists)})" if lists else "no list"
        raise DataError(f"the file is one JSON object with {what}; give a list of records", path)
    return lists[0]


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error).split(";")[0]


def _too_long(path: Path, line: int, text: str) -> RecordError:
    return RecordError(LONG_LINE, f"the record has more than {LONGEST_LINE:,} characters; split it", path, line, text)


class _Longer:
    """A value that is longer than a record may be."""


_LONGER = _Longer()


class _Window:
    """The part of a text that is being read: `position` in `text` advances, and text before it is discarded."""

    def __init__(self, path: Path, blocks: Iterator[str]) -> None:
        self.text, self.position = "", 0
        self._path, self._blocks = path, blocks
        self._line, self._counted = 1, 0  # `_line` is the line of position `_counted`
        self._decoder = json.JSONDecoder()

    def line(self) -> int:
        """Returns the line number of the position, from 1."""
        self._line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        return self._line

    def skip_space(self) -> str:
        """Skips white space and returns the next character, an empty string at the end of the text."""
        while True:
            match = _SPACE.match(self.text, self.position)
            assert match is not None
            self.position = match.end()
            if self.position < len(self.text) or not self._grow():
                return self.text[self.position : self.position + 1]

    def value(self, *, may_be_longer: bool = False) -> Any:
        """Returns the JSON value at the position, and moves past it; for one that is too long, its error.

        Args:
            may_be_longer: Whether `_LONGER` is returned for a value of which the end was not found within the limit;
                the position then stays at its beginning.

        Raises:
            DataError: The value is not valid, or the end of a value that is too long was not found.
        """
        while True:
            try:
                value, end = self._decoder.raw_decode(self.text, self.position)
            except (ValueError, RecursionError) as error:
                at = error.pos if isinstance(error, json.JSONDecodeError) else self.position
                is_cut = isinstance(error, json.JSONDecodeError) and (
                    error.msg.startswith("Unterminated") or at > len(self.text) - _LONGEST_CUT
                )
                if is_cut and len(self.text) - self.position > LONGEST_LINE:
                    if may_be_longer:
                        return _LONGER
                    shown = self.text[self.position : self.position + 100]
                    raise _too_long(self._path, self.line(), shown) from error
                if not is_cut or not self._grow():
                    raise self.broken(at, _reason(error)) from error
            else:
                if len(self.text) - end > _LONGEST_CUT or not self._grow():  # a number may continue
                    is_longer = end - self.position > LONGEST_LINE
                    if is_longer and may_be_longer:
                        return _LONGER
                    if is_longer:
                        value = _too_long(self._path, self.line(), self.text[self.position : self.position + 100])
                    self.position = end
                    return value

    def broken(self, position: int, reason: str) -> DataError:
        """Returns the error for a fault at a position of the window."""
        line = self.line() + self.text.count("\n", self.position, position)
        begin = max(self.text.rfind("\n", 0, position) + 1, position - 40)
        shown = self.text[begin : position + 100].split("\n", 1)[0].strip()
        return DataError(f"broken JSON ({reason}); fix the file here", self._path, line, shown)

    def _grow(self) -> bool:
        """Reads as much text again as the window holds; returns whether there was more."""
        self.line()
        parts, wanted = [self.text[self.position :]], len(self.text) - self.position
        for block in self._blocks:
            parts.append(block)
            wanted -= len(block)
            if block and wanted <= 0:
                break
        text = "".join(parts)
        has_more = len(text) > len(parts[0])
        if has_more:
            self.text, self.position, self._counted = text, 0, 0
        return has_more
