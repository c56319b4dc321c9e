"""Answers to records in memory: the same prompts, settings and rows as those of a file of records."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.content.fields import FieldOptions
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError, SciMindError
from scimind.generate.decoders.protocols import Decoder
from scimind.generate.predictor import Predictor
from scimind.generate.prompt_files import check_prompts
from scimind.generate.questions import Questions, read_questions
from scimind.generate.row_collector import RowCollector
from scimind.generate.settings import GenerationSettings
from scimind.generate.validity.rule import AnswerRule
from scimind.runtime.console import Console
from scimind.tokenizer import TokenCodec

_NAME = "records"  # of what was given, in messages


def answer_records(
    decoder: Decoder,
    codec: TokenCodec,
    settings: GenerationSettings,
    records: Sequence[str | Mapping[str, Any]],
    task: str | Path | Task | None = None,
    *,
    choices: str | Path | Sequence[str] | None = None,
    options: FieldOptions | None = None,
    columns: Mapping[str, str] | None = None,
    rule: AnswerRule | None = None,
    console: Console | None = None,
) -> list[Mapping[str, Any]]:
    """Returns the rows that `scimind predict` writes for the same records.

    Args:
        decoder: The model.
        codec: Its tokenizer.
        settings: How to generate.
        records: Without a task prompts or questions; with one the values that it asks about, or raw records by column.
        task: See `find_task`.
        choices: Answers to choose from, or a file of them.
        options: With a task, how its fields are read.
        columns: The column of each field that is not found by its name.
        rule: A rule of your own about answers.
        console: Shows progress.

    Raises:
        SciMindError: A setting is wrong, records are not what the task asks about, or none of them can be asked.
    """
    if not records:
        raise SciMindError("no records; give at least one")
    asked = _questions(records, codec, settings, task, choices=choices, options=options, columns=columns, rule=rule)
    prompts = [replace(prompt, fault=prompt.fault.removeprefix(f"line {prompt.line}: ")) for prompt in asked.prompts]
    check_prompts(prompts, _NAME)
    rows = RowCollector()
    Predictor(decoder, codec, settings, asked.rules, console, asked.search).predict_prompts(prompts, rows)
    return rows.rows


def _questions(
    records: Sequence[str | Mapping[str, Any]],
    codec: TokenCodec,
    settings: GenerationSettings,
    task: str | Path | Task | None,
    **more: Any,
) -> Questions:
    """Reads records from a temporary file, so that nothing is read in another way than by the commands."""
    name = "prompt" if task is None else ""
    with tempfile.TemporaryDirectory(prefix="scimind-") as folder:
        path = Path(folder) / f"{_NAME}.jsonl"
        with path.open("w", encoding="utf-8", errors="surrogatepass") as file:
            for number, record in enumerate(records, start=1):
                if isinstance(record, str):
                    name = name or _asked_column(find_task(task)) if task is not None else name
                    record = {name: record}
                elif not isinstance(record, Mapping):
                    what = type(record).__name__
                    raise DataError(f"is a {what}; give a text, or a dictionary by column", _NAME, number)
                file.write(json.dumps({str(key): _plain(value) for key, value in record.items()}) + "\n")
        try:
            return read_questions(path, codec, settings, task, **more)
        except DataError as error:
            if error.path is None or Path(error.path) != path:
                raise
            raise DataError(error.reason, _NAME, error.line, error.text) from error


def _asked_column(task: Task) -> str:
    """Returns the column of the only value that a task asks about.

    Raises:
        SciMindError: There are several.
    """
    needed = [spec for spec in task.asked_fields if not spec.optional]
    if len(needed) != 1:
        names = " and ".join(spec.name for spec in needed) or "conversations"
        raise SciMindError(f"task {task.name} asks with {names}; give dictionaries or a DataFrame that hold them")
    return needed[0].columns[0] if needed[0].columns else needed[0].name


def _plain(value: Any) -> Any:
    """Returns a JSON value: NumPy's and pandas' numbers as Python's, and missing values as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value != value or type(value).__name__ == "NAType" else str(value)
