"""The end of a file that grows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TextIO

# What MindSpore's own threads write into a worker's log, which no one needs to see as long as all is well.
_CHATTER = re.compile(r"^\[(?:DEBUG|INFO|WARNING)\] [A-Z_]+\(\d+,.*\n", re.MULTILINE)


class Follower:
    """Reads what was appended to a file since the last look.

    Args:
        path: The file; it need not be there yet.
        target: Where whatever is read is also written, without MindSpore's messages below errors.
    """

    def __init__(self, path: Path, target: TextIO | None = None) -> None:
        self._path, self._target, self._position = path, target, 0

    def read(self) -> str:
        """Returns the whole lines that are new; a last one without its end comes with the next read."""
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
    """Returns the last lines of a file that are not empty; a note where it cannot be read."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            file.seek(max(0, size - 65536))
            text = file.read().decode("utf-8", errors="replace")
    except OSError as error:
        return f"(no log: {error.strerror})"
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return "\n".join(lines[-count:])
