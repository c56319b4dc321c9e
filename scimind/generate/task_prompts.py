"""Prompts for a task: from bare molecules, sequences or descriptions, from raw records, and from conversations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.content.fields import SEQUENCE_KINDS, FieldOptions, read_field
from scimind.data.defects import RecordError
from scimind.data.encode.rendering import render_prompt
from scimind.data.formats.rows import Columns, Row, is_parquet, read_rows
from scimind.data.formats.text_files import FileNotes, broken_byte, open_text, repair_backslashes
from scimind.data.tasks.conversations import ConversationTask
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.generate.prompts import Prompt, conversation_prompts, expand_line, line_prompt, text_lines
from scimind.generate.question_frames import QuestionFrame, bare_value, is_rendered
from scimind.tokenizer.tags import closing_tag

_HEAD = 4096  # characters from which a file's format is recognised


def read_task_prompts(path: Path, task: str | Path | Task, molecules: str = "checked") -> Iterator[Prompt]:
    """Yields the prompts of a file in order; a record that cannot be asked is yielded with its fault.

    Args:
        path: Conversations; a file of any format that `scimind prepare` reads; or one value per line, if the task's
            question has one field. A value may also be the whole question, as text or as a rendered prompt.
        task: See `find_task`.
        molecules: Whether a molecule that RDKit cannot parse is a fault (`checked`) or gets a warning (`as-is`).

    Raises:
        DataError: The file is missing, empty or malformed as a whole, or does not fit the task.
        SciMindError: The task does not exist.
    """
    found = find_task(task)
    if isinstance(found, ConversationTask):
        yield from conversation_prompts(path)
        return
    if not found.question:
        raise DataError(f"task {found.name} has no question to answer; leave the task out, or give another")
    frame = QuestionFrame.of(found)
    if _holds_conversations(path):
        prompts = _talk_prompts(path, found, frame)
    elif _is_table(path, found):
        prompts = _record_prompts(path, found, frame)
    else:
        prompts = _line_prompts(path, found, frame)
    for prompt, values in prompts:
        yield _checked(prompt, found, values, molecules)


_Asked = tuple[Prompt, Mapping[str, Any]]  # a prompt, and the values in its question as far as they are known


def _checked(prompt: Prompt, task: Task, values: Mapping[str, Any], molecules: str) -> Prompt:
    """Returns a prompt whose fault or warning says what RDKit finds wrong with its molecules, as `scimind prepare`."""
    try:
        for spec in task.asked_fields if not prompt.fault else ():
            if spec.kind == "smiles" and spec.name in values:
                read_field(spec, values[spec.name], FieldOptions())
    except RecordError as error:
        faulty = prompt.faulty(error)
        return faulty if molecules == "checked" else replace(prompt, warning=faulty.fault)
    return prompt


def _holds_conversations(path: Path) -> bool:
    is_json = path.suffix.lower() in (".json", ".jsonl")
    return is_json and '"conversation"' in next(open_text(path, FileNotes())[1])


def _is_table(path: Path, task: Task) -> bool:
    """Returns whether a file holds records, in a table, JSON, FASTA or Parquet, rather than one value per line."""
    if is_parquet(path):
        return True
    start, blocks = open_text(path, FileNotes())
    head = next(blocks)[:_HEAD].lstrip("\n").partition("\n")[0]
    if path.suffix.lower() in (".json", ".jsonl") or start == ">":
        return True
    names = re.split(r"[\t,]", head)
    is_headed = any(task.columns.has(name) for name in names)
    return len(names) > 1 and (is_headed or ("\t" in head and len(task.headerless) > 1))


def _talk_prompts(path: Path, task: Task, frame: QuestionFrame | None) -> Iterator[_Asked]:
    """Yields the prompts of conversations, with the value in the last question if it is one of the task."""
    for prompt in conversation_prompts(path):
        value = frame.value_in(prompt.rounds[-1][0]) if frame is not None and prompt.rounds else None
        reference = prompt.reference and _bare(prompt.reference, task)
        yield replace(prompt, reference=reference), _known(value, frame)


def _known(value: str | None, frame: QuestionFrame | None) -> dict[str, Any]:
    return {} if value is None or frame is None else {frame.spec.name: bare_value(value, frame.spec)}


def _line_prompts(path: Path, task: Task, frame: QuestionFrame | None) -> Iterator[_Asked]:
    """Yields the prompts of a file with one value per line, with the value."""
    asked = [spec for spec in task.asked_fields if not spec.optional]
    lines = text_lines(path)
    first = 1 if task.columns.has(lines[0]) else 0
    if len(asked) != 1 and not all(is_rendered(line) for line in lines[first:] if line.strip()):
        names = " and ".join(spec.name for spec in asked)
        raise DataError(f"task {task.name} asks with {names}; give a table or JSON file that holds them", path)
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip() or broken_byte(line):
            yield line_prompt(line, number), {}
            continue
        spec, value = asked[0], None if frame is None else frame.value_in(expand_line(line))
        is_sequence = spec.kind in SEQUENCE_KINDS
        if (is_rendered(line) or value is not None) and not (is_sequence and value is not None):
            yield replace(line_prompt(line, number), is_whole=True), {}
            continue
        given = bare_value(value or line, spec)
        # Where the value begins in its line, before anything in it is repaired.
        indent = max(line.find(given), 0) if value else len(line) - len(line.lstrip())
        given = repair_backslashes(given)[0] if is_sequence else expand_line(given)
        prompt = Prompt(str(number), "", number, start=task.place_of(spec.name) - indent, is_whole=value is not None)
        yield _asking(prompt, task, {spec.name: given})


def _asking(prompt: Prompt, task: Task, values: Mapping[str, Any]) -> _Asked:
    """Returns a prompt with the question about some values, or with what is wrong with them."""
    try:
        question = task.ask(**{spec.name: values[spec.name] for spec in task.asked_fields if spec.name in values})
    except DataError as error:
        return prompt.faulty(error), {}
    return replace(prompt, text=render_prompt(question), rounds=((question, None),)), values


def _record_prompts(path: Path, task: Task, frame: QuestionFrame | None) -> Iterator[_Asked]:
    """Yields the prompts of a file of raw records; their answers, where given, are the references."""
    columns = task.columns
    asked = {spec.name for spec in task.asked_fields}
    optional = columns.optional | {name for name in columns.names if name not in asked}
    columns = Columns(columns.names, columns.fallback, optional, columns.headerless)
    start = task.place_of(task.asked_fields[0].name) if len(task.asked_fields) == 1 else None
    for number, row in enumerate(read_rows(path, columns), start=1):
        if isinstance(row, DataError):
            yield Prompt(f"{path.stem}-{number}", "", row.line or 1).faulty(row), {}
            continue
        prompt, values = Prompt(row.id, "", row.line, start=start), row.values
        given = values.get(frame.spec.name) if frame is not None else None
        if frame is not None and isinstance(given, str):
            if (value := frame.value_in(given)) is not None:
                prompt, values = replace(prompt, is_whole=True), {**values, **_known(value, frame)}
            elif is_rendered(given):
                prompt = replace(prompt, text=f" {given.strip().removeprefix('<s>').strip()}", start=1, is_whole=True)
        yield _record_prompt(task, replace(row, values=values), prompt)


def _record_prompt(task: Task, row: Row, prompt: Prompt) -> _Asked:
    """Returns the prompt of a record, with its reference even if there is a fault in what is asked.

    Args:
        task: The task.
        row: The record.
        prompt: Its id and line; its text too if the record holds a rendered prompt.
    """
    is_rendered_one = bool(prompt.text)
    prompt, values = (prompt, {}) if is_rendered_one else _asking(prompt, task, row.values)
    if not task.answered_fields or not all(_is_given(row.values.get(spec.name)) for spec in task.answered_fields):
        return prompt, values
    try:
        if prompt.fault or is_rendered_one:
            return replace(prompt, reference=_bare(task.answer_with(row.values), task)), {}
        question, answer = task.sample(row.values, FieldOptions(molecules="as-is")).rounds[-1]
    except RecordError as error:
        return (prompt if prompt.fault else prompt.faulty(error)), {}
    reference = _bare(answer or "", task)
    return replace(prompt, text=render_prompt(question), rounds=((question, None),), reference=reference), values


def _is_given(value: object) -> bool:
    return value is not None and bool(str(value).strip())


def _bare(reference: str, task: Task) -> str:
    """Returns a molecule or another sequence without its tags, and any other answer unchanged."""
    if task.output.kind in SEQUENCE_KINDS and closing_tag(task.output.kind) in reference:
        return str(task.output.read(reference) or reference)
    return reference
