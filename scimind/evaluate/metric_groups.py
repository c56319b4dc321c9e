"""The groups of metrics, and which of them scores a task's outputs."""

from __future__ import annotations

from scimind.errors import SciMindError

# What the references' column may be called in a table, by group.
GROUPS: dict[str, tuple[str, ...]] = {
    "captions": ("description", "caption"),
    "molecules": ("SMILES", "molecule"),
    "proteins": ("sequence", "protein"),
    "names": ("properties", "property"),
    "classification": ("label", "mechanism"),
    "language_model": (),
}


def group_of(task: str) -> str:
    """Returns the group of metrics that scores a task's outputs.

    Args:
        task: See `scimind.data.find_task`; or a group's own name.

    Raises:
        SciMindError: There is no such task, or it has no metrics.
    """
    if task in GROUPS:
        return task
    from scimind.data.tasks.registry import find_task

    group = find_task(task).metrics
    if not group:
        raise SciMindError(f"task {task} has no metrics; name a group of them: {', '.join(GROUPS)}")
    return group
