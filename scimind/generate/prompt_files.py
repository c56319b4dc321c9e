"""Prompts from files: text, conversation JSON or JSONL, and lists or tables of molecules or descriptions with a task.

A text file has one prompt per line. Every line counts, even a blank one, so that line n of a text file always
corresponds to line n of its predictions.
"""

from __future__ import annotations

from pathlib import Path

from scimind.data.content.fields import FieldOptions
from scimind.data.formats.text_files import read_text
from scimind.data.tasks.task import Task
from scimind.generate.prompts import Prompt, conversation_prompts, line_prompt
from scimind.generate.task_prompts import read_task_prompts


def read_prompts(
    path: str | Path, task: str | Path | Task | None = None, *, ambiguous: str = "drop", seed: int = 0
) -> list[Prompt]:
    """Reads the prompts of a file.

    Args:
        path: `.json` or `.jsonl` with conversations; any other file is text.
        task: None for prompts or questions. With a task (see `find_task`), the file may also hold the inputs of the
            task: one molecule, sequence or description per line, or any format that `scimind prepare` reads, whose
            answers become the references.
        ambiguous: What is done with letters of sequences that stand for several; see `resolve`.
        seed: Seed of bases that are drawn for such letters.

    Raises:
        DataError: The file is missing, empty, not UTF-8 or malformed, or does not fit the task.
        SciMindError: The task does not exist.
    """
    path = Path(path)
    if task is not None:
        return list(read_task_prompts(path, task, FieldOptions("as-is", ambiguous=ambiguous, seed=seed)))
    if path.suffix.lower() in (".json", ".jsonl"):
        return list(conversation_prompts(path))
    lines = read_text(path).removesuffix("\n").split("\n")
    return [line_prompt(line, number, path) for number, line in enumerate(lines, start=1)]
