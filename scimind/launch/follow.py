"""Follows a growing file, and reads the last lines of a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

# Messages of MindSpore's own threads in a worker's log, which nobody needs to see while all is well.
_CHATTER = re.compile(r"^\[(?:DEBUG|INFO|WARNING)\] [A-Z_]+\(\d+,.*\n", re.MULTILINE)


class Follower:
    """Reads what was appended to a file since the last read.

    Args:
        path: The file, which need not exist yet.
        target: A stream to which everything read is also written, without MindSpore's messages below error level.
    """

    def __init__(self, path: Path, target: TextIO | None = None) -> None:
        self._path, self._target, self._position = path, target, 0

    def read(self) -> str:
        """Returns new complete lines; an incomplete last line is left for the next read."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._position)
                new = file.read()
        except OSError:
            return ""
        whole = new[: max(new.rfind(b"\n"), new.rfind(b"\r")) + 1]
        self._position += len(whole)
        text = whole.decode("utf-8", errors="replace")
        if text and self._target is not None:
            self._target.write(_CHATTER.sub("", text))
            self._target.flush()
        return text


def last_lines(path: Path, count: int) -> str:
    """Returns the last non-empty lines of a file, or a note if it cannot be read."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            file.seek(max(0, size - 65536))
            text = file.read().decode("utf-8", errors="replace")
    except OSError as error:
        return f"(no log: {error.strerror})"
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return "\n".join(lines[-count:])
