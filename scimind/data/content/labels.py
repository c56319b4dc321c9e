"""Labels as files write them: in any case, as numbers or truth values, several in one cell."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:e[+-]?\d+)?")
_TRUTH = {"true": 1.0, "false": 0.0}
_BETWEEN_NAMES = re.compile(r"[;|]")
_BETWEEN_LABELS = re.compile(r"[;|,]")


def find_label(text: str, labels: Mapping[str, Sequence[str]]) -> str | None:
    """Returns the label that a text spells, None if it spells none of them.

    Case and white space do not matter. A text that is no spelling may still be the same number as one: pandas writes
    `1.0` for 1 in a column with gaps, and `True` for 1 in a column of truth values.

    Args:
        text: The text.
        labels: Each label with its spellings in files.
    """
    wanted = _plain(text)
    spelled = {label: [_plain(spelling) for spelling in (label, *others)] for label, others in labels.items()}
    for label, spellings in spelled.items():
        if wanted in spellings:
            return label
    number = _number(wanted)
    if number is None:
        return None
    equal = [label for label, spellings in spelled.items() if number in map(_number, spellings)]
    return equal[0] if len(equal) == 1 else None


def several_labels(text: str, labels: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns the labels in a cell that has more than one, `a; b` or `a|b`; an empty list if it has one.

    A comma only separates labels that are all known, since names contain commas.
    """
    for separator in (_BETWEEN_NAMES, _BETWEEN_LABELS) if labels else (_BETWEEN_NAMES,):
        parts = [part.strip() for part in separator.split(text) if part.strip()]
        if len(parts) > 1 and (separator is _BETWEEN_NAMES or all(find_label(part, labels) for part in parts)):
            return parts
    return []


def listed_names(value: object) -> list[str] | None:
    """Returns the names in a list, a JSON list or a Python set in text; None for any other value.

    Raises:
        ValueError: The text begins like a list but is none, or an element is not text.
    """
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        text = value.strip()
        try:
            value = ast.literal_eval(text) if text[0] == "{" else json.loads(text)
        except (SyntaxError, MemoryError, RecursionError, ValueError) as error:
            raise ValueError(text) from error
        if not isinstance(value, (list, tuple, set)):
            raise ValueError(text)
    if not isinstance(value, (list, tuple, set)):
        return None
    if not all(isinstance(item, str) for item in value):
        raise ValueError(repr(value))
    return [item.strip() for item in value if item.strip()]


def split_names(text: str) -> list[str]:
    """Returns the names between semicolons or vertical bars."""
    return [name for part in _BETWEEN_NAMES.split(text) if (name := part.strip())]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _number(text: str) -> float | None:
    """Returns the number that a plain text stands for, None if it stands for none."""
    if text in _TRUTH:
        return _TRUTH[text]
    if _NUMBER.fullmatch(text) is None or not math.isfinite(number := float(text)):
        return None
    return number
