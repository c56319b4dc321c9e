"""Prompts for a task: from bare molecules, sequences or descriptions, from raw records, and from conversations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.content.conversations import holds_turns
from scimind.data.content.fields import TAG_OF_KIND, Field, FieldOptions, is_given
from scimind.data.content.selfies import decode_selfies, molecule_text, settle_selfies
from scimind.data.defects import RecordError
from scimind.data.encode.rendering import render_prompt
from scimind.data.formats.rows import Columns, Row, is_parquet, read_rows
from scimind.data.formats.text_files import open_text, read_text, repair_backslashes
from scimind.data.tasks.conversations import ConversationTask
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.generate.prompts import Prompt, conversation_prompts, expand_line, indent_of
from scimind.tokenizer.alphabet import BRACKETS
from scimind.tokenizer.tags import FORM_RUNS, bare_characters, closing_tag, with_own_tags, without_tag

_HEAD = 4096  # characters from which a file's format is recognised


def read_task_prompts(path: Path, task: str | Path | Task, options: FieldOptions) -> Iterator[Prompt]:
    """Yields the prompts of a file in order.

    Args:
        path: Conversations; a file of any format that `scimind prepare` reads; or one value per line, if the task's
            question has one field.
        task: See `find_task`.
        options: How fields are read.

    Raises:
        DataError: The file is missing, empty or malformed, or does not fit the task; a record is faulty.
        SciMindError: The task does not exist.
    """
    found = find_task(task)
    if isinstance(found, ConversationTask):
        yield from conversation_prompts(path)
        return
    if not found.question:
        raise DataError(f"task {found.name} has no question to answer; leave the task out, or give another")
    if _holds_conversations(path):
        for prompt in conversation_prompts(path):
            yield replace(prompt, reference=prompt.reference and _bare(prompt.reference, found))
        return
    asked = [spec for spec in found.asked_fields if not spec.optional]
    if _is_table(path, found):
        yield from _record_prompts(path, found, options)
        return
    if len(asked) != 1:
        names = " and ".join(spec.name for spec in asked)
        raise DataError(f"task {found.name} asks with {names}; give a table or JSON file that holds them", path)
    lines = read_text(path).removesuffix("\n").split("\n")
    first, name = (1 if found.columns.has(lines[0]) else 0), asked[0].name
    rows = (Row(str(n), {name: line}, path, n) for n, line in enumerate(lines[first:], start=first + 1))
    for row in settle_selfies(rows, set(found.molecules) & {name}):
        if isinstance(row, Row):
            yield _line_prompt(row.values[name], found, asked[0], options, path, row.line)


def _holds_conversations(path: Path) -> bool:
    return path.suffix.lower() in (".json", ".jsonl") and holds_turns(next(open_text(path)[1]))


def _is_table(path: Path, task: Task) -> bool:
    """Returns whether a file holds records, in a table, JSON, FASTA or Parquet, rather than one value per line."""
    if is_parquet(path):
        return True
    start, blocks = open_text(path)
    head = next(blocks)[:_HEAD].lstrip("\n").partition("\n")[0]
    if path.suffix.lower() in (".json", ".jsonl") or start == ">":
        return True
    names = re.split(r"[\t,]", head)
    is_headed = any(task.columns.has(name) for name in names)
    return len(names) > 1 and (is_headed or ("\t" in head and len(task.headerless) > 1))


def _line_prompt(line: str, task: Task, spec: Field, options: FieldOptions, path: Path, number: int) -> Prompt:
    """Returns the prompt that asks about the value on a line; an empty prompt for a blank line."""
    indent, given = indent_of(line), line.strip()
    if not given:
        return Prompt(str(number), "", number)
    readings: Mapping[str, int] = {}
    if (tag := TAG_OF_KIND.get(spec.kind)) is not None:
        if tag == "smiles" and given.startswith(BRACKETS["smiles"][0]):
            given = FORM_RUNS["smiles"].sub(lambda run: bare_characters(run[0]), given)
        given, readings = _read_marks(given, spec, path, number)
        given = repair_backslashes(without_tag(given, tag))[0]
    else:
        given = expand_line(given)
    question = _ask(task, {spec.name: given}, options, path, number)
    start = task.place_of(spec.name) - indent
    return Prompt(str(number), render_prompt(question), number, None, ((question, None),), start, readings)


def _read_marks(given: str, spec: Field, path: Path, line: int) -> tuple[str, Mapping[str, int]]:
    """Returns a sequence without the tags of other projects, a molecule as SMILES, and what was read differently."""
    readings: Counter[str] = Counter()
    if spec.kind != "smiles":
        return with_own_tags(given, decode_selfies, readings), readings
    try:
        return molecule_text(given)
    except RecordError as error:
        raise DataError(error.reason, path, line, error.text) from error


def _record_prompts(path: Path, task: Task, options: FieldOptions) -> Iterator[Prompt]:
    """Yields the prompts of a file of raw records; their answers, where given, are the references."""
    columns, answer = task.columns, task.answered_fields
    asked = {spec.name for spec in task.asked_fields}
    optional = columns.optional | {name for name in columns.names if name not in asked}
    columns = Columns(columns.names, columns.fallback, optional, columns.headerless)
    single = task.asked_fields[0].name if len(task.asked_fields) == 1 else ""
    for row in settle_selfies(read_rows(path, columns), task.molecules):
        if isinstance(row, DataError):
            raise row
        reference = None
        if answer and all(is_given(spec, row.values.get(spec.name)) for spec in answer):
            question, reference = _rounds(task, row, options)
        else:
            question = _ask(task, row.values, options, path, row.line)
        start = task.place_of(single) if single else 0
        rounds, readings = ((question, None),), _readings(row, [name for name in task.molecules if name in asked])
        yield Prompt(row.id, render_prompt(question), row.line, reference, rounds, start, readings)


def _readings(row: Row, names: Sequence[str]) -> Mapping[str, int]:
    """Returns what was read differently in the molecules of a record's question, which are not faulty."""
    texts = [value.strip() for name in names if isinstance(value := row.values.get(name), str)]
    return sum((Counter(molecule_text(text)[1]) for text in texts), Counter())


def _rounds(task: Task, row: Row, options: FieldOptions) -> tuple[str, str]:
    """Returns a record's question, and its answer in the form in which a model's answer is read."""
    try:
        question, answer = task.sample(row.values, options).rounds[-1]
    except RecordError as error:
        raise DataError(error.reason, row.path, row.line) from error
    return question, _bare(answer or "", task)


def _ask(task: Task, values: Mapping[str, Any], options: FieldOptions, path: Path, line: int) -> str:
    try:
        return task.ask(options, **{spec.name: values[spec.name] for spec in task.asked_fields if spec.name in values})
    except RecordError as error:
        raise DataError(error.reason, path, line) from error


def _bare(reference: str, task: Task) -> str:
    """Returns a molecule or another sequence without its tags, and any other answer unchanged."""
    if task.output.kind in TAG_OF_KIND and closing_tag(task.output.kind) in reference:
        return str(task.output.read(reference) or reference)
    return reference
