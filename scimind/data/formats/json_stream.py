"""Reads the records of a JSON list or of JSON Lines one by one from a text that comes in blocks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scimind.data.formats.text_files import lines_of
from scimind.errors import DataError

_SPACE = re.compile(r"\s*")
# An error, or the end of a number, this close to the end of the text read so far may only mean that the value
# continues in the next block.
_LONGEST_CUT = 16


def json_values(path: Path, start: str, blocks: Iterator[str]) -> Iterator[tuple[int, Any] | DataError]:
    """Yields the records of a JSON list or of JSON Lines, each with the number of the line where it begins.

    A broken line of JSON Lines is yielded as an error, since the next line can be read; a broken list raises one.

    Args:
        path: The file, for errors.
        start: The first character of the file.
        blocks: The text of the file, see `open_text`.

    Raises:
        DataError: The list is not valid JSON, is empty or does not end.
    """
    if start == "[":
        yield from _list_values(path, _Window(path, blocks))
        return
    for number, line in enumerate(lines_of(blocks), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            yield DataError(f"broken JSON ({reason}); fix this line", path, number, line.strip())


def _list_values(path: Path, window: _Window) -> Iterator[tuple[int, Any]]:
    window.skip_space()
    window.position += 1
    if window.skip_space() == "]":
        raise DataError("the list is empty; give a file with records", path)
    while True:
        line = window.line()
        yield line, window.value()
        mark = window.skip_space()
        if mark not in (",", "]"):
            raise window.broken(window.position, "a comma or the end of the list is missing")
        window.position += 1
        if mark == "]":
            if window.skip_space():
                raise window.broken(window.position, "text after the end of the list")
            return
        window.skip_space()


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

    def value(self) -> Any:
        """Returns the JSON value at the position, and moves past it.

        Raises:
            DataError: There is no valid value.
        """
        while True:
            try:
                value, end = self._decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self.text) - _LONGEST_CUT
                if not is_cut or not self._grow():
                    raise self.broken(error.pos, error.msg) from error
            except RecursionError as error:
                raise self.broken(self.position, "nested too deeply") from error
            else:
                if len(self.text) - end > _LONGEST_CUT or not self._grow():  # a number may continue
                    self.position = end
                    return value

    def broken(self, position: int, reason: str) -> DataError:
        """Returns the error for a fault at a position of the window."""
        line = self.line() + self.text.count("\n", self.position, position)
        shown = self.text[self.text.rfind("\n", 0, position) + 1 :].split("\n", 1)[0].strip()
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
