"""Rules on settings that the rest of a configuration leaves without effect: they are refused, not silently ignored.

Settings that never do anything are `Inert` in the schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scimind.config import facts
from scimind.config.canonical import TRAINING_MODES
from scimind.config.nodes import Repeats
from scimind.config.schema import named_nodes, show
from scimind.config.sections.root import SCHEMA

# Data sets that `RunConfig` fills in from their own section.
_FILLED_IN = ("train_dataset_task.", "eval_dataset_task.")
_PER_TOKEN = (
    "calculate_per_token_loss",
    "model.model_config.calculate_per_token_loss",
    "runner_wrapper.calculate_per_token_loss",
)
# What only MindFormers' own loop does, which trains if tensors are split over devices: setting, what to do instead.
_OF_SPLIT_TENSORS = {
    "only_save_strategy": "set it to False",
    "ignore_data_skip": "set it to False",
    "train_dataset.auto_tune": "set it to False",
}
_OF_PIECES = {
    "directory": "set output_dir",
    "save_checkpoint_seconds": "set save_checkpoint_steps",
    "keep_checkpoint_per_n_minutes": "set keep_checkpoint_max",
    "save_network_params": "use `scimind convert` on a checkpoint",
    "save_trainable_params": "use `scimind convert` on a checkpoint",
    "exception_save": "set save_checkpoint_steps",
    "remove_redundancy": "leave it out, since there is one copy of each weight",
}


def settings_without_effect(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each setting that the others leave without effect.

    Args:
        tree: The checked settings.
    """
    for name, node in named_nodes(SCHEMA):
        if isinstance(node, Repeats) and not name.startswith(_FILLED_IN):
            second, first = _at(tree, name), _at(tree, node.of)
            if None not in (second, first) and second != first:
                remedy = "set that and leave this out"
                yield f"{name} ({show(second)}) does nothing next to {node.of} ({show(first)}); {remedy}"
    if tree.get("run_mode") not in TRAINING_MODES:
        return
    if len({_at(tree, name) or False for name in _PER_TOKEN}) > 1:
        yield f"{' and '.join(_PER_TOKEN)} act together; give all of them or none"
    splits = facts.splits_tensors(tree)
    yield from _callbacks(tree, splits)
    if splits:
        return
    for name, instead in _OF_SPLIT_TENSORS.items():
        if _at(tree, name):
            yield f"{name} ({show(_at(tree, name))}) acts only with split tensors (parallel_mode 1 or 2); {instead}"
    seed = _at(tree, "train_dataset.seed")
    if seed is not None and seed != tree.get("seed"):
        yield f"train_dataset.seed ({seed}) acts only with split tensors (parallel_mode 1 or 2); set seed"


def _callbacks(tree: Mapping[str, Any], splits: bool) -> Iterator[str]:
    """Yields callbacks and their settings that belong to the other way of training."""
    for place, entry in enumerate(tree.get("callbacks") or []):
        if not isinstance(entry, Mapping):
            continue  # faulty in itself
        if splits and entry.get("type") == "SciMindCheckpoint":
            yield f"callbacks.{place} (SciMindCheckpoint) does nothing with split tensors; use CheckpointMonitor"
        for name, instead in _OF_PIECES.items():
            if not splits and entry.get("type") == "CheckpointMonitor" and entry.get(name):
                yield f"callbacks.{place}.{name} ({show(entry[name])}) acts only with split tensors; {instead}"


def _at(tree: Mapping[str, Any], name: str) -> Any:
    """Returns the setting with a dotted name, None if it is missing."""
    value: Any = tree
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
