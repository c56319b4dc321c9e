"""Which group of metrics scores a task's outputs."""

from __future__ import annotations

# What the references' column may be called in a table, by group.
GROUPS: dict[str, tuple[str, ...]] = {
    "captions": ("description", "caption"),
    "molecules": ("SMILES", "molecule"),
    "proteins": ("sequence", "protein"),
    "classification": ("label", "mechanism"),
    "language_model": (),
}

GROUP_OF_TASK: dict[str, str] = {
    "smiles2text": "captions",
    "text2smiles": "molecules",
    "smiles2properties": "captions",
    "properties2smiles": "molecules",
    "protein_function": "captions",
    "general_function": "captions",
    "catalytic_activity": "captions",
    "domain_motif": "captions",
    "protein_design": "proteins",
    "promoter": "classification",
    "moa": "classification",
    "pretrain": "language_model",
}

# A group's own name serves tasks that a user has added.
TASKS: tuple[str, ...] = (*GROUP_OF_TASK, *GROUPS)


def group_of(task: str) -> str:
    """Returns the group of metrics of a task, or of a group's own name."""
    return GROUP_OF_TASK.get(task, task)
