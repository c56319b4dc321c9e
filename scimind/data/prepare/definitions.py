"""The task files that stand next to prepared data: `NAME.task.yaml`, for tables that were prepared without a task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scimind.data.content.conversations import read_conversations
from scimind.errors import DataError

END = ".task.yaml"
_HEAD = "# The task of this data, as `scimind prepare --table` understood it. It may be changed, and given as --task.\n"
_SPLITS = ("", "_eval", "_test")


def write_definition(path: Path, definition: Mapping[str, Any], training: Path) -> None:
    """Writes the definition of a task, with the mean of the training values if its answers are numbers.

    Args:
        path: The file.
        definition: The content of the task's YAML file.
        training: The training records as conversations.
    """
    output = dict(definition["output"])
    if output["kind"] == "number" and (values := _answers(training)):
        output["training_mean"] = float(f"{sum(values) / len(values):.10g}")
    text = yaml.safe_dump({**definition, "output": output}, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(_HEAD + text, encoding="utf-8", newline="\n")


def definition_next_to(data: Path) -> Path | None:
    """Returns the task file of `NAME.json`, `NAME_eval.json` or `NAME_test.json`; None if there is none."""
    if data.suffix != ".json":
        return None
    names = [data.stem.removesuffix(end) for end in _SPLITS if data.stem.endswith(end)]
    found = [path for name in names if (path := data.with_name(name + END)).is_file()]
    return found[0] if found else None


def _answers(path: Path) -> list[float]:
    found = [talk for talk in read_conversations(path) if not isinstance(talk, DataError)] if path.is_file() else []
    return [float(talk.rounds[-1][1] or "nan") for talk in found]
