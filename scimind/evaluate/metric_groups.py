"""Which group of metrics scores a task's outputs."""

from __future__ import annotations

from scimind.data.tasks.outputs import GROUPS
from scimind.data.tasks.registry import find_task
from scimind.errors import SciMindError


def group_of(task: str) -> str:
    """Returns the group of metrics that scores a task's outputs.

    Args:
        task: See `scimind.data.find_task`; or a group's own name.

    Raises:
        SciMindError: There is no such task, or it has no metrics.
    """
    if task in GROUPS:
        return task
    group = find_task(task).metrics
    if not group:
        raise SciMindError(f"task {task} has no metrics; name a group of them: {', '.join(GROUPS)}")
    return group
