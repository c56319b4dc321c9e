"""The group of metrics that scores a task's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scimind.data.content.numbers import NumberFormat
from scimind.data.tasks.outputs import GROUPS
from scimind.data.tasks.registry import TASKS, find_task
from scimind.errors import SciMindError
from scimind.small_files import read_small_json


def labels_of(task: str) -> Mapping[str, Sequence[str]] | None:
    """Returns the labels of a task with their spellings, empty if they are not known; None for a group of metrics."""
    return None if task in GROUPS else find_task(task).labels


def part_of(task: str) -> str:
    """Returns which part of a reaction the answers to a task are, see `REACTION_PARTS`; empty if they are none."""
    fields = () if task in GROUPS else find_task(task).answered_fields
    return fields[0].part if len(fields) == 1 else ""


def task_of(predictions: Path) -> str | None:
    """Returns the task that predictions of `scimind predict` answer, None if the record of their run names none.

    A Python file is not returned, since nobody has asked for its code.
    """
    try:
        run = read_small_json(predictions.with_name(predictions.name + ".run.json"))
    except (OSError, ValueError):
        return None
    task, file = (run.get(name) if isinstance(run, dict) else None for name in ("task", "task_file"))
    if isinstance(file, str) and Path(file).suffix in (".yaml", ".yml"):
        return file
    return task if isinstance(task, str) and task in TASKS and not file else None


def numbers_of(task: str) -> tuple[NumberFormat | None, float | None]:
    """Returns how a task writes numbers, and the mean of its training values; None for what is not known."""
    found = None if task in GROUPS else find_task(task)
    if found is None or found.number_field is None:
        return None, None
    return found.number_field.number, found.output.training_mean


def group_of(task: str) -> str:
    """Returns the group of metrics that scores a task's outputs.

    Args:
        task: A task (see `scimind.data.find_task`) or the name of a group.

    Raises:
        SciMindError: The task does not exist or has no metrics.
    """
    if task in GROUPS:
        return task
    group = find_task(task).metrics
    if not group:
        raise SciMindError(f"task {task} has no metrics; name a group of metrics instead: {', '.join(GROUPS)}")
    return group
