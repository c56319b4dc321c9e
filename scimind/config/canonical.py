"""One place for each quantity: moves settings that MindFormers accepts in two places to the one that we read."""

from __future__ import annotations

from typing import Any

# Settings of `generation`, and their places in MindFormers.
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
    """Moves generation settings to `generation`, and removes data sets that repeat another section.

    Args:
        tree: Settings as read, unchecked; changed in place.
        second_wins: Whether a setting in MindFormers' place replaces the one in ours, as a later override does.

    Returns:
        A fault for each setting with different values in the two places.
    """
    faults = _move_generation(tree, second_wins)
    for task, section in TASKS:
        given = tree.get(task)
        if isinstance(given, dict) and given.get("dataset_config", tree) == tree.get(section):
            del given["dataset_config"]
    return faults


def keep_answers_cache(tree: dict[str, Any]) -> None:
    """Turns on `use_past` in training settings that are used for prediction, since training settings cannot have it on.

    Args:
        tree: Settings as read, unchecked; changed in place.
    """
    model = tree.get("model")
    section = model.get("model_config") if isinstance(model, dict) else None
    if isinstance(section, dict):
        section["use_past"] = True


def _move_generation(tree: dict[str, Any], second_wins: bool) -> list[str]:
    """Moves the generation settings; see `move_to_one_place`."""
    faults: list[str] = []
    section = tree.get("generation")
    if section is not None and not isinstance(section, dict):
        return []  # the schema reports what is wrong with it
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
