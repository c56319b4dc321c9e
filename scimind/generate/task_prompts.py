"""Prompts for a task: from bare molecules, sequences or descriptions, from raw records, and from conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scimind.data.content.fields import TAG_OF_KIND, Field, FieldOptions, is_given, read_field
from scimind.data.content.selfies import decode_selfies, molecule_text, settle_selfies
from scimind.data.conversation_forms import holds_turns
from scimind.data.defects import RecordError
from scimind.data.encode.rendering import render_prompt
from scimind.data.formats import sniffing
from scimind.data.formats.columns import Columns
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.records import first_names, is_smiles_list, plain_lines
from scimind.data.formats.rows import Row
from scimind.data.formats.text_files import broken_byte, repair_backslashes
from scimind.data.tasks.conversations import ConversationTask
from scimind.data.tasks.registry import find_task
from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.generate.prompts import PREFIX, Prompt, conversation_prompts, expand_line, line_prompt
from scimind.generate.question_frames import QuestionFrame, bare_value, is_rendered
from scimind.tokenizer.tags import closing_tag, with_own_tags

_TABLES = (".csv", ".tsv")
_FIRST_LINES = 50

_Asked = tuple[Prompt, Mapping[str, Any]]  # a prompt, and the values in its question as far as they are known


def read_task_prompts(
    path: Path,
    task: str | Path | Task,
    options: FieldOptions,
    chosen: Mapping[str, str] | None = None,
    notes: FileNotes | None = None,
) -> Iterator[Prompt]:
    """Yields the prompts of a file in order; a record that cannot be asked is yielded with its fault.

    Args:
        path: Conversations; a file of any format that `scimind prepare` reads; or one value per line, if the task's
            question has one field, each SMILES optionally with a name after a blank, which becomes the id. A value may
            also be the whole question, as text or as a rendered prompt.
        task: See `find_task`.
        options: How fields are read. A molecule that RDKit cannot parse is a fault if `molecules` is `checked`, and
            gets a warning if it is `as-is`.
        chosen: The column of each field that is not found by its name, see `Task.with_columns`.
        notes: Filled with how the file was understood.

    Raises:
        DataError: The file is missing, empty or malformed as a whole, or does not fit the task.
        SciMindError: The task does not exist, or has no such field.
    """
    found, notes = find_task(task), FileNotes() if notes is None else notes
    if isinstance(found, ConversationTask):
        yield from conversation_prompts(path, notes)
        return
    if not found.question:
        raise DataError(f"task {found.name} has no question to answer; leave the task out, or give another")
    found = found.with_columns(chosen or {})
    frame, columns = QuestionFrame.of(found), _asked_columns(found)
    unchecked = replace(options, molecules="as-is")
    if _holds_conversations(path):
        prompts = _talk_prompts(path, found, frame, notes)
    elif _is_table(path, columns, [spec for spec in found.asked_fields if not spec.optional]):
        prompts = _record_prompts(path, found, frame, columns, unchecked, notes)
    else:
        prompts = _line_prompts(path, found, frame, columns, unchecked, notes)
    for prompt, values in prompts:
        yield _checked(prompt, found, values, options)


def _checked(prompt: Prompt, task: Task, values: Mapping[str, Any], options: FieldOptions) -> Prompt:
    """Returns a prompt whose fault or warning says what RDKit finds wrong with its molecules, as `scimind prepare`."""
    try:
        for spec in task.asked_fields if not prompt.fault else ():
            if TAG_OF_KIND.get(spec.kind) == "smiles" and spec.name in values:
                read_field(spec, values[spec.name], replace(options, molecules="checked"))
    except RecordError as error:
        faulty = prompt.faulty(error)
        return faulty if options.molecules == "checked" else replace(prompt, warning=faulty.fault)
    return prompt


def _holds_conversations(path: Path) -> bool:
    return sniffing.format_of(path)[0] == sniffing.JSON and holds_turns(first_names(path, Columns({})))


def _asked_columns(task: Task) -> Columns:
    """Returns the columns of a task of which only those of its question must be there."""
    columns, asked = task.wide.added_to(task.columns), {spec.name for spec in task.asked_fields}
    names = {**columns.names, PREFIX: (PREFIX,)}
    return replace(columns, names=names, optional=columns.optional | {name for name in names if name not in asked})


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
        return len(asked) != 1 or asked[0].kind in TAG_OF_KIND
    if found != sniffing.TEXT or is_smiles_list(path, head, columns):
        return True
    cells = first_names(path, columns)
    if len(cells) < 2:
        return path.suffix.lower() in _TABLES and columns.is_header(cells)
    if columns.is_header(cells) or columns.without_header(cells) is not None:
        return True
    if "\t" in head.split("\n", 1)[0] and len(columns.headerless) > 1:
        return True
    is_value = len(asked) == 1 and asked[0].kind not in TAG_OF_KIND
    if columns.chosen or path.suffix.lower() in _TABLES or not is_value:
        # A molecule or sequence has no comma and no tab.
        columns.find(cells, path, 1)
        return True
    return False


def _has_names(path: Path) -> bool:
    """Returns whether each of the first lines has further words after its SMILES, which are its name."""
    lines = [line for line in sniffing.head_of(path).split("\n")[:_FIRST_LINES] if line.strip()]
    return all(len(line.split()) > 1 and line.lstrip()[0] not in "<{" for line in lines)


def _talk_prompts(path: Path, task: Task, frame: QuestionFrame | None, notes: FileNotes) -> Iterator[_Asked]:
    """Yields the prompts of conversations, with the value in the last question if it is one of the task."""
    for prompt in conversation_prompts(path, notes):
        value = frame.value_in(prompt.rounds[-1][0]) if frame is not None and prompt.rounds else None
        reference = prompt.reference and _bare(prompt.reference, task)
        yield replace(prompt, reference=reference), _known(value, frame)


def _known(value: str | None, frame: QuestionFrame | None) -> dict[str, Any]:
    return {} if value is None or frame is None else {frame.spec.name: bare_value(value, frame.spec)}


def _line_prompts(
    path: Path,
    task: Task,
    frame: QuestionFrame | None,
    columns: Columns,
    options: FieldOptions,
    notes: FileNotes,
) -> Iterator[_Asked]:
    """Yields the prompts of a file with one value per line, with the value."""
    asked = [spec for spec in task.asked_fields if not spec.optional]
    lines = list(plain_lines(path, notes, strict=False))
    if lines and _is_header(lines[0][1], columns):
        notes.add_remark(f"the first line {lines.pop(0)[1].strip()} is a header")
    if len(asked) != 1 and not all(is_rendered(line) for _, line in lines if line.strip()):
        names = " and ".join(spec.name for spec in asked)
        raise DataError(f"task {task.name} asks with {names}; give a table or JSON file that holds them", path)
    is_named = len(asked) == 1 and asked[0].kind == "smiles" and _has_names(path)
    rows = (Row(str(number), {"line": line}, path, number) for number, line in lines)
    for row in settle_selfies(rows, ["line"] if len(asked) == 1 and asked[0].name in task.molecules else []):
        assert isinstance(row, Row)
        line, number, name = row.values["line"], row.line, row.id
        if not line.strip() or broken_byte(line):
            yield line_prompt(line, number), {}
            continue
        spec, value = asked[0], None if frame is None else frame.value_in(expand_line(line))
        is_sequence = spec.kind in TAG_OF_KIND
        if is_named and value is None and not is_rendered(line) and len(line.split()) > 1:
            line, name = line.split(maxsplit=1)
            name = name.strip()
        if (is_rendered(line) or value is not None) and not (is_sequence and value is not None):
            yield replace(line_prompt(line, number), id=name, is_whole=True), {}
            continue
        given = bare_value(value or line, spec)
        # Where the value begins in its line, before anything in it is repaired.
        indent = max(line.find(given), 0) if value else len(line) - len(line.lstrip())
        prompt = Prompt(name, "", number, start=task.place_of(spec.name) - indent, is_whole=value is not None)
        try:
            given, readings = _read_marks(given, spec) if is_sequence else (expand_line(given), {})
        except DataError as error:
            yield prompt.faulty(error), {}
            continue
        yield _asking(replace(prompt, readings=readings), task, {spec.name: given}, options)


def _read_marks(given: str, spec: Field) -> tuple[str, Mapping[str, int]]:
    """Returns a sequence without the tags of other projects, a molecule as SMILES, and what was read differently.

    Raises:
        RecordError: SELFIES cannot be decoded.
    """
    readings: Mapping[str, int] = Counter[str]()
    if TAG_OF_KIND[spec.kind] == "smiles":
        given, readings = molecule_text(given)
    else:
        given = bare_value(with_own_tags(given, decode_selfies, Counter(readings)), spec)
    return repair_backslashes(given)[0], readings


def _asking(prompt: Prompt, task: Task, values: Mapping[str, Any], options: FieldOptions) -> _Asked:
    """Returns a prompt with the question about some values, or with what is wrong with them."""
    asked = {spec.name: values[spec.name] for spec in task.asked_fields if spec.name in values}
    try:
        question = task.ask(options, **asked)
    except DataError as error:
        return prompt.faulty(error), {}
    return replace(prompt, text=render_prompt(question), rounds=((question, None),)), values


def _record_prompts(
    path: Path,
    task: Task,
    frame: QuestionFrame | None,
    columns: Columns,
    options: FieldOptions,
    notes: FileNotes,
) -> Iterator[_Asked]:
    """Yields the prompts of a file of raw records; their answers, where given, are the references."""
    start = task.place_of(task.asked_fields[0].name) if len(task.asked_fields) == 1 else None
    asked_molecules = [spec.name for spec in task.asked_fields if spec.name in task.molecules]
    for number, row in enumerate(task.read(path, columns, notes), start=1):
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
        prompt = replace(prompt, prefix=str(values.get(PREFIX) or ""))
        prompt, values = _record_prompt(task, replace(row, values=values), prompt, options)
        if not prompt.fault and not prompt.is_whole:
            prompt = replace(prompt, readings=_readings(row, asked_molecules))
        yield prompt, values


def _readings(row: Row, names: Sequence[str]) -> Mapping[str, int]:
    """Returns what was read differently in the molecules of a record's question, which are not faulty."""
    texts = [value.strip() for name in names if isinstance(value := row.values.get(name), str)]
    return sum((Counter(molecule_text(text)[1]) for text in texts), Counter())


def _record_prompt(task: Task, row: Row, prompt: Prompt, options: FieldOptions) -> _Asked:
    """Returns the prompt of a record, with its reference even if there is a fault in what is asked.

    Args:
        task: The task.
        row: The record.
        prompt: Its id and line; its text too if the record holds a rendered prompt.
        options: How fields are read.
    """
    is_rendered_one = bool(prompt.text)
    prompt, values = (prompt, {}) if is_rendered_one else _asking(prompt, task, row.values, options)
    if not task.answered_fields or not all(is_given(spec, row.values.get(spec.name)) for spec in task.answered_fields):
        return prompt, values
    try:
        if prompt.fault or is_rendered_one:
            return replace(prompt, reference=_bare(task.answer_with(row.values), task)), {}
        question, answer = task.sample(row.values, options).rounds[-1]
    except RecordError as error:
        return (prompt if prompt.fault else prompt.faulty(error)), {}
    reference = _bare(answer or "", task)
    return replace(prompt, text=render_prompt(question), rounds=((question, None),), reference=reference), values


def _bare(reference: str, task: Task) -> str:
    """Returns a molecule or another sequence without its tags, and any other answer unchanged."""
    if task.output.kind in TAG_OF_KIND and closing_tag(task.output.kind) in reference:
        return str(task.output.read(reference) or reference)
    return reference
