"""Text files as people have them: UTF-8 with or without a byte order mark, any line ends, JSON whole or by line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scimind.errors import DataError

_SPACE = re.compile(r"\s*")


def read_text(path: Path) -> str:
    """Returns the text of a file, line ends as `\\n`, without a byte order mark.

    Raises:
        DataError: There is no such file, it cannot be read, it is empty, or it is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError("no such file; check the path", path) from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give a file", path) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8", path, line) from error
    if not text.strip():
        raise DataError("the file is empty; give one with records", path)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def count_lines(path: Path) -> int:
    """Returns the number of line ends of a file, 0 if it cannot be read; a progress bar needs it beforehand."""
    try:
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except OSError:
        return 0


def json_values(path: Path, text: str) -> Iterator[tuple[int, Any] | DataError]:
    """Yields the records of a JSON list or of JSON Lines, each with the line where it begins.

    A broken line of JSON Lines is yielded as an error, since the next line can be read; a broken list is raised.

    Args:
        path: The file, for errors.
        text: Its content.

    Raises:
        DataError: The list is broken, is empty or does not end.
    """
    if text.lstrip().startswith("["):
        yield from _list_values(path, text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            yield DataError(f"broken JSON ({reason}); mend this line", path, number, line.strip())


def _list_values(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    decoder = json.JSONDecoder()
    position = _skip_space(text, text.index("[") + 1)
    counted, line = 0, 1  # `line` is the line of position `counted`
    if text[position : position + 1] == "]":
        raise DataError("the list is empty; give a file with records", path)
    while True:
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise _broken(path, text, error.pos, error.msg) from error
        except RecursionError as error:
            raise _broken(path, text, position, "nested too deeply") from error
        yield line, value
        position = _skip_space(text, end)
        mark = text[position : position + 1]
        if mark == "]":
            rest = _skip_space(text, position + 1)
            if rest < len(text):
                raise _broken(path, text, rest, "text behind the end of the list")
            return
        if mark != ",":
            raise _broken(path, text, position, "a comma or the end of the list is missing")
        position = _skip_space(text, position + 1)


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _broken(path: Path, text: str, position: int, reason: str) -> DataError:
    line = text.count("\n", 0, position) + 1
    shown = text[text.rfind("\n", 0, position) + 1 :].split("\n", 1)[0].strip()
    return DataError(f"broken JSON ({reason}); mend the file here", path, line, shown)
