"""One place for each quantity: settings that MindFormers keeps in two places, moved to the one that we read."""

from __future__ import annotations

from typing import Any

# Settings of `generation`, and where MindFormers keeps them.
_GENERATION = {
    "do_sample": ("model", "model_config", "do_sample"),
    "top_k": ("model", "model_config", "top_k"),
    "top_p": ("model", "model_config", "top_p"),
    "repetition_penalty": ("model", "model_config", "repetition_penalty"),
    "batch_size": ("predict_batch_size",),
}

TRAINING_MODES = ("finetune", "train")
TASKS = (("train_dataset_task", "train_dataset"), ("eval_dataset_task", "eval_dataset"))


def move_to_one_place(tree: dict[str, Any], second_wins: bool = False) -> list[str]:
    """Moves generation settings to `generation`, and drops data sets that repeat another section.

    Args:
        tree: Settings as read, not checked; changed in place.
        second_wins: Whether a setting in MindFormers' place replaces one in ours, as a later override does.

    Returns:
        A fault for each setting that the two places give differently.
    """
    faults = _move_generation(tree, second_wins)
    for task, section in TASKS:
        given = tree.get(task)
        if isinstance(given, dict) and given.get("dataset_config", tree) == tree.get(section):
            del given["dataset_config"]
    return faults


def keep_answers_cache(tree: dict[str, Any]) -> None:
    """Turns `use_past` on in settings of a training that are used to predict: a training cannot say so itself.

    Args:
        tree: Settings as read, not checked; changed in place.
    """
    model = tree.get("model")
    section = model.get("model_config") if isinstance(model, dict) else None
    if isinstance(section, dict):
        section["use_past"] = True


def _move_generation(tree: dict[str, Any], second_wins: bool) -> list[str]:
    """Moves the generation settings; see move_to_one_place."""
    faults: list[str] = []
    section = tree.get("generation")
    if section is not None and not isinstance(section, dict):
        return []  # the schema says what is wrong with it
    own: dict[str, Any] = section or {}
    for name, path in _GENERATION.items():
        parent: Any = tree
        for key in path[:-1]:
            parent = parent.get(key) if isinstance(parent, dict) else None
        if not isinstance(parent, dict) or path[-1] not in parent:
            continue
        value = parent.pop(path[-1])
        if value is None:
            continue
        if own.get(name, value) != value and not second_wins:
            faults.append(f"{'.'.join(path)} ({value}) differs from generation.{name} ({own[name]}); leave one out")
        own[name] = value
    if own:
        tree["generation"] = own
    return faults
