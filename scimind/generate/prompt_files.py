"""Prompts from files: text, tables with a column of prompts, conversation JSON, and data files of a task.

A text file has one prompt per line. Every line counts, even a blank one, so that line n of a text file always
corresponds to line n of its predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scimind.data.content.fields import FieldOptions
from scimind.data.conversation_forms import holds_turns, is_alpaca
from scimind.data.formats import sniffing
from scimind.data.formats.columns import Columns, checked_choice
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import kept_pipes
from scimind.data.formats.records import first_names, has_header, plain_lines
from scimind.data.formats.rows import read_rows
from scimind.data.tasks.task import Task
from scimind.errors import DataError, SciMindError
from scimind.generate.prompts import PREFIX, EncodedPrompt, Prompt, conversation_prompts, line_prompt
from scimind.generate.task_prompts import read_task_prompts

_PROMPT = ("prompt", "question", "input", "text", "instruction")
# Columns by which a table is recognised that has something else than prompts.
_DATA = ("smiles", "molecule", "canonical_smiles", "sequence", "protein", "dna", "caption", "description", "label")
_TABLES = (".csv", ".tsv")
_SEQUENCES = (".fa", ".fasta", ".faa", ".fna", ".fq", ".fastq")
_REFERENCE = ("reference", "answer", "ground truth")


def read_prompts(
    path: str | Path,
    task: str | Path | Task | None = None,
    options: FieldOptions | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    notes: FileNotes | None = None,
) -> list[Prompt]:
    """Reads the prompts of a file; one that cannot be asked says why in its `fault`.

    Args:
        path: JSON with conversations; a table or JSON with a column of prompts; any other file is text. `-` is standard
            input.
        task: None for prompts or questions. With a task (see `find_task`), the file may also hold the inputs of the
            task: one molecule, sequence or description per line, or any format that `scimind prepare` reads, whose
            answers become the references.
        options: With a task, how its fields are read. A molecule that RDKit cannot parse is a fault, or gets a warning
            if `molecules` is `as-is`.
        columns: The column of a field of the task that is not found by its name, or without a task of `prompt`,
            `reference` or `id`: a name, or a number from 1.
        notes: Filled with how the file was understood.

    Raises:
        DataError: The file is missing, empty or malformed as a whole, or does not fit the task.
        SciMindError: The task does not exist, or has no such field.
    """
    path, notes = Path(path), FileNotes() if notes is None else notes
    with kept_pipes():
        if task is not None:
            return list(read_task_prompts(path, task, options or FieldOptions(), columns, notes))
        chosen = checked_choice(columns or {}, ["prompt", "reference"], "a file of prompts")
        names = {"prompt": _PROMPT, "reference": _REFERENCE, PREFIX: (PREFIX,)}
        known = Columns(names, optional=frozenset({"reference", PREFIX}), chosen=chosen)
        if _holds_conversations(path):
            if chosen:
                raise SciMindError("--columns works with tables of prompts, not with conversations; leave it out")
            return list(conversation_prompts(path, notes))
        if _is_table(path, known):
            return list(_table_prompts(path, known, notes))
        return [line_prompt(line, number) for number, line in plain_lines(path, notes, strict=False)]


def _holds_conversations(path: Path) -> bool:
    """Returns whether a file is JSON, and not with a column of prompts."""
    if sniffing.format_of(path)[0] != sniffing.JSON:
        return False
    names = first_names(path, Columns({}))
    return holds_turns(names) or is_alpaca(names) or not any(name in names for name in _PROMPT)


def _is_table(path: Path, known: Columns) -> bool:
    """Returns whether a file has a column of prompts.

    Raises:
        DataError: It is a table without such a column.
    """
    found, _ = sniffing.format_of(path)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if known.chosen or found == sniffing.JSON:
        return True
    if found in (sniffing.FASTA, sniffing.FASTQ) and not suffixes & set(_SEQUENCES):
        found = sniffing.TEXT  # a quotation
    cells = first_names(path, known)
    is_named = known.is_header(cells) and "prompt" in known.found(cells)
    if found == sniffing.TEXT:
        is_named = is_named and has_header(path, known)
    is_binary = found in (sniffing.PARQUET, sniffing.WORKBOOK)
    if is_named and (len(cells) > 1 or is_binary or suffixes & set(_TABLES)):
        return True
    if found == sniffing.TEXT and not suffixes & set(_TABLES):
        data = Columns({"data": _DATA})
        cells = first_names(path, data)
        if len(cells) < 2 or not has_header(path, data):
            return False
    shown = f" (its columns are {', '.join(map(repr, cells))})" if cells else f" (it is {found})"
    reason = f"a table needs --task, or --columns prompt=NAME, or must be a .txt with one prompt per line{shown}"
    raise DataError(reason, path)


def _table_prompts(path: Path, known: Columns, notes: FileNotes) -> Iterator[Prompt]:
    for number, row in enumerate(read_rows(path, known, notes), start=1):
        if isinstance(row, DataError):
            yield Prompt(f"{path.stem}-{number}", "", row.line or 1).faulty(row)
            continue
        text, reference = row.values.get("prompt"), row.values.get("reference")
        if text is not None and not isinstance(text, str):
            yield Prompt(row.id, "", row.line).faulty(DataError("the prompt is not text; correct it", text=repr(text)))
            continue
        given = reference if isinstance(reference, str) and reference.strip() else None
        prefix = str(row.values.get(PREFIX) or "")
        yield replace(line_prompt(text or "", row.line), id=row.id, reference=given, prefix=prefix)


def check_prompts(prompts: Sequence[EncodedPrompt], path: str | Path) -> None:
    """Checks what would make all the work useless, before a model is loaded.

    Args:
        prompts: The prompts of a file.
        path: The file, for errors.

    Raises:
        DataError: Two prompts have the same id, or none can be asked.
    """
    seen: dict[str, int] = {}
    for prompt in prompts:
        if prompt.id in seen:
            reason = f"id {prompt.id!r} is already on line {seen[prompt.id]}; make the ids unique, or remove them"
            raise DataError(reason, path, prompt.line)
        seen[prompt.id] = prompt.line
    if all(prompt.fault for prompt in prompts):
        many = f"none of the {len(prompts)} prompts can be asked; the first: " if len(prompts) > 1 else ""
        raise DataError(f"{many}{prompts[0].fault}", path)
