"""Errors that a user can fix.

A command that raises a `SciMindError` prints its message on one line and exits with status 2. Any other exception is a
fault of the program and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_LONGEST_EXCERPT = 80


class SciMindError(ValueError):
    """A mistake in the user's input; the message says what is wrong and what to do."""


class ConfigError(SciMindError):
    """One or several faults in a configuration, collected and raised together.

    Args:
        faults: One sentence per fault, at least one.
        source: The file or object that contains the configuration.
    """

    def __init__(self, faults: str | Sequence[str], source: str | Path | None = None) -> None:
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        where = f"{source}: " if source is not None else ""
        super().__init__(where + "; ".join(self.faults))


class DataError(SciMindError):
    """A fault in a data file.

    Args:
        reason: What is wrong and what to do.
        path: The file.
        line: Line number, from 1; None if lines have no meaning.
        text: The offending text; only its beginning is shown.
    """

    def __init__(self, reason: str, path: str | Path | None = None, line: int | None = None, text: str = "") -> None:
        self.reason, self.path, self.line, self.text = reason, path, line, text
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + reason + (f": {excerpt(text)!r}" if text else ""))


class TokenError(SciMindError):
    """A character without a token, with its position in the text.

    Args:
        reason: What is wrong and what to do.
        character: The character.
        position: Its index in the text, from 0.
    """

    def __init__(self, reason: str, character: str = "", position: int = -1) -> None:
        self.character, self.position = character, position
        super().__init__(reason)


class CheckpointError(SciMindError):
    """Weights that do not fit the model into which they are loaded."""


def excerpt(text: str) -> str:
    """Returns `text` cut to 80 characters, with an ellipsis if something was cut."""
    return text if len(text) <= _LONGEST_EXCERPT else text[: _LONGEST_EXCERPT - 1] + "…"
