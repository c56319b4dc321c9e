"""The findings of an evaluation, and the files that hold them: `metrics.json` and a table with a row per item."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.atomic import replace_text
from scimind.data.formats.safe_cells import safe_cell
from scimind.errors import SciMindError
from scimind.evaluate.resampling import Score

FORMAT = 1
ITEM_SUFFIXES = (".jsonl", ".tsv")


@dataclass
class Findings:
    """The results of a group of metrics on the items of a file.

    Attributes:
        scores: Scores by the metric's name.
        rows: One row of columns per item, in order; empty if a group has none.
        not_computed: Why a metric was not computed, by the metric's name.
        protocol_values: The values of the protocol's published script, where they differ from `scores`.
        counts: Numbers of items and of irregular ones, such as empty outputs.
        settings: How the scores were computed.
        details: Further tables, such as a confusion matrix.
        packages: Distributions whose versions matter.
    """

    scores: dict[str, Score] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    not_computed: dict[str, str] = field(default_factory=dict)
    protocol_values: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A metric that could not be computed for an item, with the reason."""

    metric: str
    item: str
    reason: str


def withdraw(findings: Findings, failures: Iterable[Failure]) -> None:
    """Removes the scores of metrics that failed on an item and names it, since a mean over the rest would mislead."""
    by_metric: dict[str, list[Failure]] = {}
    for failure in failures:
        by_metric.setdefault(failure.metric, []).append(failure)
    for metric, failed in by_metric.items():
        first = failed[0]
        more = f", and on {len(failed) - 1} more" if len(failed) > 1 else ""
        findings.not_computed[metric] = f"failed on item {first.item} ({first.reason}){more}"
        for name in [name for name in findings.scores if name == metric or name == f"withheld_{metric}"]:
            del findings.scores[name]


def without_nan(value: Any) -> Any:
    """Returns a value fit for JSON: non-finite numbers become None, numpy's values Python's."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(entry) for entry in value]
    if hasattr(value, "tolist"):
        return without_nan(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file, creating its folder if necessary.

    Raises:
        SciMindError: The file cannot be written.
    """
    write_text(path, json.dumps(without_nan(content), indent=2, ensure_ascii=False) + "\n")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, raw_cells: bool = False) -> None:
    """Writes the table of items: `.jsonl` with unchanged texts, or `.tsv`, where tabs and line breaks become spaces.

    Args:
        path: The file.
        rows: The items.
        raw_cells: Whether texts in a `.tsv` that a spreadsheet would take for formulas, since they begin with `=`,
            `+`, `-` or `@`, stay as they are; otherwise an apostrophe is put before them, which spreadsheets hide.

    Raises:
        SciMindError: The file cannot be written, or its suffix is not known.
    """
    check_items_path(path)
    if path.suffix == ".jsonl":
        write_text(path, "".join(json.dumps(without_nan(row), ensure_ascii=False) + "\n" for row in rows))
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(names)]
    lines += ["\t".join(_cell(row.get(name), raw=raw_cells) for name in names) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def check_items_path(path: Path) -> None:
    """Raises a SciMindError if the file of the table of items has an unknown suffix."""
    if path.suffix not in ITEM_SUFFIXES:
        raise SciMindError(f"{path}: the table of items must end in {' or '.join(ITEM_SUFFIXES)}; rename it")


def make_folder(path: Path) -> None:
    """Creates the folder of a file that is written later, so that a faulty path is reported before the work starts.

    Raises:
        SciMindError: The folder cannot be created or written to, or the path is itself a folder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SciMindError(f"{path}: cannot be written ({error.strerror}); choose another path") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise SciMindError(f"{path}: cannot be written; give the path of a file in a writable folder")


def _cell(value: Any, *, raw: bool) -> str:
    value = without_nan(value)
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = " ".join(text.splitlines()).replace("\t", " ")
    return text if raw or not isinstance(value, str) else safe_cell(text)


def write_text(path: Path, text: str) -> None:
    """Writes a file, creating its folder if necessary; an existing file is replaced once the new one is complete.

    Raises:
        SciMindError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # a pipe or device
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        else:
            replace_text(path.resolve(), text, errors="backslashreplace")
    except OSError as error:
        raise SciMindError(f"{path}: cannot be written ({error.strerror}); choose another path") from error
