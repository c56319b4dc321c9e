"""The section `callbacks` of a configuration: what SciMind does itself, and what is passed to MindFormers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CHECKPOINT_KEYS = ("save_checkpoint_steps", "keep_checkpoint_max", "checkpoint_format", "save_optimizer")
_OWN_CALLBACKS = ("SciMindProgress", "SciMindEvaluation", "SciMindLossCurve", "SciMindCheckpoint")


def take_callbacks(tree: dict[str, Any], splits_tensors: bool) -> dict[str, dict[str, Any]]:
    """Removes SciMind's callbacks from the configuration and returns their settings by type.

    If tensors are split, `CheckpointMonitor` is kept and writes sharded weights; otherwise its settings are used for
    `SciMindCheckpoint`. The interval of `MFLossMonitor`, whose lines go to the log, is also used for the console.
    """
    own: dict[str, dict[str, Any]] = {name: {} for name in _OWN_CALLBACKS}
    own["SciMindEvaluation"] = {
        "step_interval": _interval(tree.get("eval_step_interval"), 100),
        "epoch_interval": _interval(tree.get("eval_epoch_interval"), -1),
    }
    left = []
    for entry in tree.get("callbacks") or []:
        kind, values = entry.get("type"), {key: value for key, value in entry.items() if key != "type"}
        if kind == "CheckpointMonitor" and not splits_tensors:
            own["SciMindCheckpoint"] = {
                **{key: values[key] for key in _CHECKPOINT_KEYS if values.get(key) is not None},
                **own["SciMindCheckpoint"],
            }
        elif kind in own:
            own[kind].update(values)
        else:
            left.append(entry)
        if kind == "MFLossMonitor" and values.get("per_print_times", 1) > 1:
            own["SciMindProgress"].setdefault("step_interval", values["per_print_times"])
    if splits_tensors:
        del own["SciMindCheckpoint"]
    tree["callbacks"] = left or [{"type": "MFLossMonitor", "per_print_times": 1}]
    return own


def _interval(given: int | None, default: int) -> int:
    """Returns the interval of evaluations, where 0 or less turns them off."""
    return default if given is None else given


def checkpoint_bytes(callbacks: Mapping[str, Mapping[str, Any]], model: Mapping[str, Any]) -> int:
    """Returns the approximate total size in bytes of the checkpoints that `SciMindCheckpoint` keeps.

    Args:
        callbacks: What `take_callbacks` returned.
        model: The section model.model_config.
    """
    if "SciMindCheckpoint" not in callbacks:
        return 0
    hidden = int(model.get("hidden_size", 4096))
    neurons = int(model.get("intermediate_size") or 8 * hidden // 3)
    layer = 4 * hidden * hidden + 3 * hidden * neurons
    weights = 2 * int(model["vocab_size"]) * hidden + int(model.get("num_layers", 32)) * layer
    checkpoint = callbacks["SciMindCheckpoint"]
    width = 4 if model.get("param_init_type", "float32") == "float32" else 2
    one = weights * (width + (8 if checkpoint.get("save_optimizer", True) else 0))
    return one * (int(checkpoint.get("keep_checkpoint_max", 2)) + 1)
