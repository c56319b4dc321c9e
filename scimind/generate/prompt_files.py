"""Prompts from files: text, tables with a column of prompts, conversation JSON, and data files of a task.

A text file has one prompt per line. Every line counts, even a blank one, so that line n of a text file always
corresponds to line n of its predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from scimind.data.defects import RecordError
from scimind.data.formats import sniffing
from scimind.data.formats.columns import Columns, checked_choice
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import kept_pipes
from scimind.data.formats.records import first_names, has_header, plain_lines
from scimind.data.formats.rows import read_rows
from scimind.data.tasks.task import Task
from scimind.errors import DataError, SciMindError
from scimind.generate.prompts import Prompt, conversation_prompts, line_prompt
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
    *,
    columns: Mapping[str, str] | None = None,
    notes: FileNotes | None = None,
) -> list[Prompt]:
    """Reads the prompts of a file.

    Args:
        path: JSON with conversations; a table or JSON with a column of prompts; any other file is text. `-` is standard
            input.
        task: None for prompts or questions. With a task (see `find_task`), the file may also hold the inputs of the
            task: one molecule, sequence or description per line, or any format that `scimind prepare` reads, whose
            answers become the references.
        columns: The column of a field of the task that is not found by its name, or without a task of `prompt`,
            `reference` or `id`: a name, or a number from 1.
        notes: Filled with how the file was understood.

    Raises:
        DataError: The file is missing, empty, not UTF-8 or malformed, or does not fit the task.
        SciMindError: The task does not exist, or has no such field.
    """
    path, notes = Path(path), FileNotes() if notes is None else notes
    with kept_pipes():
        if task is not None:
            return list(read_task_prompts(path, task, columns, notes))
        chosen = checked_choice(columns or {}, ["prompt", "reference"], "a file of prompts")
        known = Columns({"prompt": _PROMPT, "reference": _REFERENCE}, optional=frozenset({"reference"}), chosen=chosen)
        if _holds_conversations(path):
            if chosen:
                raise SciMindError("--columns works with tables of prompts, not with conversations; leave it out")
            return list(conversation_prompts(path, notes))
        if _is_table(path, known):
            return list(_table_prompts(path, known, notes))
        return [line_prompt(line, number, path) for number, line in plain_lines(path, notes)]


def _holds_conversations(path: Path) -> bool:
    """Returns whether a file is JSON, and not with a column of prompts."""
    if sniffing.format_of(path)[0] != sniffing.JSON:
        return False
    names = first_names(path, Columns({}))
    return "conversation" in names or not any(name in names for name in _PROMPT)


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
    for row in read_rows(path, known, notes):
        if isinstance(row, DataError):
            raise row
        text, reference = row.values.get("prompt"), row.values.get("reference")
        if not isinstance(text, str):
            raise RecordError("malformed", "the prompt is not text; correct it", path, row.line, repr(text))
        prompt = line_prompt(text, row.line, path)
        yield Prompt(
            row.id,
            prompt.text,
            row.line,
            reference if isinstance(reference, str) and reference.strip() else None,
            prompt.rounds,
            prompt.start,
        )
