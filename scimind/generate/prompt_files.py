"""Prompts from files: text, conversation JSON or JSONL, and lists or tables of molecules or descriptions with a task.

A text file has one prompt per line. Every line counts, even a blank one, so that line n of a text file always
corresponds to line n of its predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scimind.data.tasks.task import Task
from scimind.errors import DataError
from scimind.generate.prompts import EncodedPrompt, Prompt, conversation_prompts, line_prompt, text_lines
from scimind.generate.task_prompts import read_task_prompts


def read_prompts(path: str | Path, task: str | Path | Task | None = None, molecules: str = "checked") -> list[Prompt]:
    """Reads the prompts of a file; one that cannot be asked says why in its `fault`.

    Args:
        path: `.json` or `.jsonl` with conversations; any other file is text.
        task: None for prompts or questions. With a task (see `find_task`), the file may also hold the inputs of the
            task: one molecule, sequence or description per line, or any format that `scimind prepare` reads, whose
            answers become the references.
        molecules: With a task, whether a molecule that RDKit cannot parse is a fault (`checked`) or gets a warning
            (`as-is`).

    Raises:
        DataError: The file is missing, empty or malformed as a whole, or does not fit the task.
        SciMindError: The task does not exist.
    """
    path = Path(path)
    if task is not None:
        return list(read_task_prompts(path, task, molecules))
    if path.suffix.lower() in (".json", ".jsonl"):
        return list(conversation_prompts(path))
    return [line_prompt(line, number) for number, line in enumerate(text_lines(path), start=1)]


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
