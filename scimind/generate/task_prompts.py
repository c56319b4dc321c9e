"""Prompts for a task: from bare molecules, sequences or descriptions, from raw records, and from conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.content.fields import SEQUENCE_KINDS, Field, FieldOptions
from scimind.data.defects import RecordError
from scimind.data.encode.rendering import render_prompt
from scimind.data.formats import sniffing
from scimind.data.formats.columns import Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.records import first_names, is_smiles_list, plain_lines
from scimind.data.formats.rows import Row, read_rows
from scimind.data.formats.text_files import repair_backslashes
from scimind.data.tasks.conversations import ConversationTask
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.generate.prompts import Prompt, conversation_prompts, expand_line, indent_of
from scimind.tokenizer.alphabet import BRACKETS
from scimind.tokenizer.tags import FORM_RUNS, bare_characters, closing_tag, without_tag

_TABLES = (".csv", ".tsv")
_FIRST_LINES = 50


def read_task_prompts(
    path: Path,
    task: str | Path | Task,
    chosen: Mapping[str, str] | None = None,
    notes: FileNotes | None = None,
) -> Iterator[Prompt]:
    """Yields the prompts of a file in order.

    Args:
        path: Conversations; a file of any format that `scimind prepare` reads; or one value per line, if the task's
            question has one field, each SMILES optionally with a name after a blank, which becomes the id.
        task: See `find_task`.
        chosen: The column of each field that is not found by its name, see `Task.with_columns`.
        notes: Filled with how the file was understood.

    Raises:
        DataError: The file is missing, empty or malformed, or does not fit the task; a record is faulty.
        SciMindError: The task does not exist, or has no such field.
    """
    found, notes = find_task(task), FileNotes() if notes is None else notes
    if isinstance(found, ConversationTask):
        yield from conversation_prompts(path, notes)
        return
    if not found.question:
        raise DataError(f"task {found.name} has no question to answer; leave the task out, or give another")
    found = found.with_columns(chosen or {})
    if _holds_conversations(path):
        for prompt in conversation_prompts(path, notes):
            yield replace(prompt, reference=prompt.reference and _bare(prompt.reference, found))
        return
    asked = [spec for spec in found.asked_fields if not spec.optional]
    columns = _asked_columns(found)
    if _is_table(path, columns, asked):
        yield from _record_prompts(path, found, columns, notes)
        return
    if len(asked) != 1:
        names = " and ".join(spec.name for spec in asked)
        raise DataError(f"task {found.name} asks with {names}; give a table or JSON file that holds them", path)
    is_named = asked[0].kind == "smiles" and _has_names(path)
    for number, line in plain_lines(path, notes):
        if number == 1 and _is_header(line, columns):
            notes.add_remark(f"the first line {line.strip()} is a header")
            continue
        name = str(number)
        if is_named and len(words := line.split(maxsplit=1)) > 1:
            line, name = words[0], words[1].strip()
        yield replace(_line_prompt(line, found, asked[0], path, number), id=name)


def _has_names(path: Path) -> bool:
    """Returns whether each of the first lines has further words after its SMILES, which are its name."""
    lines = [line for line in sniffing.head_of(path).split("\n")[:_FIRST_LINES] if line.strip()]
    return all(len(line.split()) > 1 and line.lstrip()[0] not in "<{" for line in lines)


def _holds_conversations(path: Path) -> bool:
    return sniffing.format_of(path)[0] == sniffing.JSON and "conversation" in first_names(path, Columns({}))


def _asked_columns(task: Task) -> Columns:
    """Returns the columns of a task of which only those of its question must be there."""
    columns, asked = task.columns, {spec.name for spec in task.asked_fields}
    return replace(columns, optional=columns.optional | {name for name in columns.names if name not in asked})


def _is_header(line: str, columns: Columns) -> bool:
    return columns.is_header([line.strip().strip('"')])


def _is_table(path: Path, columns: Columns, asked: Sequence[Field]) -> bool:
    """Returns whether a file holds records, in a table or another format, rather than one value per line.

    Raises:
        DataError: It is a table whose columns are not understood.
    """
    found, head = sniffing.format_of(path)
    if found in (sniffing.FASTA, sniffing.FASTQ):
        # A description may begin with > like a quotation.
        return len(asked) != 1 or asked[0].kind in SEQUENCE_KINDS
    if found != sniffing.TEXT or is_smiles_list(path, head, columns):
        return True
    cells = first_names(path, columns)
    if len(cells) < 2:
        return path.suffix.lower() in _TABLES and columns.is_header(cells)
    if columns.is_header(cells) or columns.without_header(cells) is not None:
        return True
    if "\t" in head.split("\n", 1)[0] and len(columns.headerless) > 1:
        return True
    is_value = len(asked) == 1 and asked[0].kind not in SEQUENCE_KINDS
    if columns.chosen or path.suffix.lower() in _TABLES or not is_value:
        # A molecule or sequence has no comma and no tab.
        columns.find(cells, path, 1)
        return True
    return False


def _line_prompt(line: str, task: Task, spec: Field, path: Path, number: int) -> Prompt:
    """Returns the prompt that asks about the value on a line; an empty prompt for a blank line."""
    indent, given = indent_of(line), line.strip()
    if not given:
        return Prompt(str(number), "", number)
    if spec.kind in SEQUENCE_KINDS:
        if spec.kind == "smiles" and given.startswith(BRACKETS["smiles"][0]):
            given = FORM_RUNS["smiles"].sub(lambda run: bare_characters(run[0]), given)
        given = repair_backslashes(without_tag(given, spec.kind))[0]
    else:
        given = expand_line(given)
    question = _ask(task, {spec.name: given}, path, number)
    rounds = ((question, None),)
    return Prompt(str(number), render_prompt(question), number, None, rounds, task.place_of(spec.name) - indent)


def _record_prompts(path: Path, task: Task, columns: Columns, notes: FileNotes) -> Iterator[Prompt]:
    """Yields the prompts of a file of raw records; their answers, where given, are the references."""
    answer = [spec.name for spec in task.answered_fields]
    single = task.asked_fields[0].name if len(task.asked_fields) == 1 else ""
    for row in read_rows(path, columns, notes):
        if isinstance(row, DataError):
            raise row
        reference = None
        if answer and all(_is_given(row.values.get(name)) for name in answer):
            question, reference = _rounds(task, row)
        else:
            question = _ask(task, row.values, path, row.line)
        start = task.place_of(single) if single else 0
        yield Prompt(row.id, render_prompt(question), row.line, reference, ((question, None),), start)


def _is_given(value: object) -> bool:
    return value is not None and bool(str(value).strip())


def _rounds(task: Task, row: Row) -> tuple[str, str]:
    """Returns a record's question, and its answer in the form in which a model's answer is read."""
    try:
        question, answer = task.sample(row.values, FieldOptions(molecules="as-is")).rounds[-1]
    except RecordError as error:
        raise DataError(error.reason, row.path, row.line) from error
    return question, _bare(answer or "", task)


def _ask(task: Task, values: Mapping[str, Any], path: Path, line: int) -> str:
    try:
        return task.ask(**{spec.name: values[spec.name] for spec in task.asked_fields if spec.name in values})
    except RecordError as error:
        raise DataError(error.reason, path, line) from error


def _bare(reference: str, task: Task) -> str:
    """Returns a molecule or another sequence without its tags, and any other answer unchanged."""
    if task.output.kind in SEQUENCE_KINDS and closing_tag(task.output.kind) in reference:
        return str(task.output.read(reference) or reference)
    return reference
