"""The group of metrics that scores a task's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scimind.data.tasks.outputs import GROUPS
from scimind.data.tasks.registry import find_task
from scimind.errors import SciMindError


def labels_of(task: str) -> Mapping[str, Sequence[str]] | None:
    """Returns the labels of a task with their spellings, empty if they are not known; None for a group of metrics."""
    return None if task in GROUPS else find_task(task).labels


def part_of(task: str) -> str:
    """Returns which part of a reaction the answers to a task are, see `REACTION_PARTS`; empty if they are none."""
    fields = () if task in GROUPS else find_task(task).answered_fields
    return fields[0].part if len(fields) == 1 else ""


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
