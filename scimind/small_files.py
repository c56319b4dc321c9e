"""Reading small files whole: configurations, and the JSON files that describe checkpoints and runs.

Such a file is written by people or by this program and is never large, so that limits that no honest file meets keep a
device, a pipe or a crafted file from filling the memory or from taking forever.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

MOST_BYTES = 4 * 1024 * 1024
MOST_LEVELS = 50

_MORE_BYTES = 64 * 1024 * 1024  # indexes of shards and headers of tensors grow with a model


class SmallFileError(ValueError):
    """A file that is not what it should be; the message is the reason, without the path."""


def read_small(path: str | Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Returns the content of a regular file.

    Args:
        path: The file.
        most_bytes: The largest size that is read.

    Raises:
        OSError: The file does not exist or cannot be read.
        SmallFileError: It is a folder, a device or a pipe, or it is larger.
    """
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise SmallFileError("is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise SmallFileError("is a device or a pipe, not a regular file")
    with open(path, "rb") as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise SmallFileError(f"is larger than {most_bytes // 1024**2} MiB, the limit for such a file")
    return content


def read_small_json(path: str | Path) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Args:
        path: The file, UTF-8.

    Raises:
        OSError: The file does not exist or cannot be read.
        SmallFileError: It is not a small regular file, or not a JSON object, or is nested too deeply.
    """
    return parse_small_json(read_small(path, _MORE_BYTES))


def parse_small_json(text: str | bytes) -> dict[str, Any]:
    """Returns the object in a JSON text.

    Raises:
        SmallFileError: It is not a JSON object, or is nested too deeply.
    """
    try:
        content: Any = json.loads(text)
    except RecursionError:
        raise SmallFileError(_too_deep()) from None
    except ValueError as error:  # also UnicodeDecodeError, and a number of thousands of digits
        raise SmallFileError(f"is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise SmallFileError("is not a JSON object")
    if _levels(content) > MOST_LEVELS:
        raise SmallFileError(_too_deep())
    return content


def _too_deep() -> str:
    return f"is nested deeper than {MOST_LEVELS} levels"


def _levels(content: Any) -> int:
    """Returns the number of levels of objects and lists, without recursion."""
    levels, layer = 0, [content]
    while layer and levels <= MOST_LEVELS:
        layer = [item for item in layer if isinstance(item, dict | list)]
        levels += bool(layer)
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return levels
