"""Weights: read strictly, and written such that a failed write leaves no partial files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scimind.atomic import new_folder
from scimind.checkpoint.finding import DESCRIPTION, TRAINING, Checkpoint
from scimind.checkpoint.formats.reading import read_tensors
from scimind.checkpoint.formats.safetensors_file import checksum
from scimind.checkpoint.seal import check_loaded, seal_folder
from scimind.errors import CheckpointError, SciMindError, excerpt

# MindFormers' own checkpoints hold these in addition to the weights.
TRAINING_STATE = re.compile(
    r"(adam_[mv]|exp_avg|exp_avg_sq|moments?|accu_grads)\..+|"
    r"global_step|epoch_num|step_num|loss_scale|scale_sense|learning_rate|current_iterator_step|last_overflow_iterator_step"
)
_LONGEST_LIST = 6


class WeightMismatchError(CheckpointError):
    """Weights whose names or shapes differ from the model's.

    Args:
        path: The file.
        missing: Names that the model has and the file lacks.
        unexpected: Names that the file has and the model lacks.
        misshapen: Name, shape in the file, shape in the model.
        advice: What to do; empty for the usual advice when loading a model.
    """

    def __init__(
        self,
        path: Path,
        missing: list[str],
        unexpected: list[str],
        misshapen: list[tuple[str, tuple[int, ...], tuple[int, ...]]],
        advice: str = "",
    ) -> None:
        self.missing, self.unexpected, self.misshapen = missing, unexpected, misshapen
        parts = [
            _listed(
                "misshapen", [f"{excerpt(name)} {list(there)} (model: {list(here)})" for name, there, here in misshapen]
            ),
            _listed("missing", list(map(excerpt, missing))),
            _listed("unexpected", list(map(excerpt, unexpected))),
        ]
        if not advice:
            advice = _advice(missing, unexpected, bool(misshapen))
        super().__init__(f"{path}: does not fit the model: {'; '.join(part for part in parts if part)}; {advice}")


def _advice(missing: list[str], unexpected: list[str], is_misshapen: bool) -> str:
    """Returns what a user can do about weights that do not fit."""
    if any(name.startswith("model.embed_tokens") or ".self_attn." in name for name in unexpected):
        return "these are Hugging Face's names; convert the checkpoint first (scimind convert)"
    if missing and all(is_gate(name) for name in missing) and not unexpected and not is_misshapen:
        return "it has no gates for router learned; create them with `scimind experts tune`"
    if unexpected and all(is_gate(name) for name in unexpected) and not missing and not is_misshapen:
        return "its gates are for router learned; set model.model_config.router to learned"
    return "give the model_config that the weights were made with"


def is_weight(name: str) -> bool:
    """Whether a parameter is a weight; decoding caches are not."""
    return not any("cache" in part for part in name.split("."))


def is_gate(name: str) -> bool:
    """Whether a parameter is a gate of router `learned`."""
    return name.endswith(".feed_forward.gate.weight")


def load_weights(network: Any, checkpoint: Checkpoint, *, may_lack_gates: bool = False) -> list[str]:
    """Loads weights into a network, all of them or, unless a number in them is not finite, none.

    Names and shapes come from the file's header; after that, one weight at a time is in memory twice.

    Args:
        network: A MindSpore cell; its parameters keep their types.
        checkpoint: What `find_checkpoint` found.
        may_lack_gates: Whether the file may lack the network's gates; those keep their values.

    Returns:
        The gates that were missing; empty unless `may_lack_gates`.

    Raises:
        CheckpointError: The file cannot be read, a weight does not match the checksum in the description, or holds NaN
            or infinity.
        WeightMismatchError: A weight is missing, unexpected or misshapen.
    """
    import mindspore as ms

    path = checkpoint.weights
    check_loaded([path])
    stored = read_tensors(path)
    weights = {name: value for name, value in stored.items() if not TRAINING_STATE.fullmatch(name) and is_weight(name)}
    wanted = {parameter.name: parameter for parameter in network.get_parameters() if is_weight(parameter.name)}
    missing = [name for name in wanted if name not in weights]
    unexpected = [name for name in weights if name not in wanted]
    misshapen = [
        (name, weights[name].shape, tuple(wanted[name].shape))
        for name in wanted
        if name in weights and weights[name].shape != tuple(wanted[name].shape)
    ]
    lacking = [name for name in missing if may_lack_gates and is_gate(name)]
    missing = [name for name in missing if name not in lacking]
    if missing or unexpected or misshapen:
        raise WeightMismatchError(path, missing, unexpected, misshapen)
    sums = checkpoint.description.get("checksums") or {}
    changed = [name for name in wanted if name in sums and name in weights and checksum(weights[name]) != sums[name]]
    if changed:
        raise CheckpointError(
            f"{path}: {_listed('changed since they were written', changed)}; download the file again, or remove "
            f"checksums from {DESCRIPTION} if the change is intended"
        )
    for name, parameter in wanted.items():
        if name in lacking:
            continue
        values = weights[name].numbers() if weights[name].dtype == "BF16" else weights[name].values()
        if not np.isfinite(np.sum(values, dtype=np.float64)):  # NaN and infinity survive a sum, at no copy
            raise CheckpointError(f"{path}: {name} holds NaN or infinity; use an earlier checkpoint")
        tensor = ms.Tensor(values)
        parameter.set_data(tensor.astype(parameter.dtype))
    return lacking


def save_checkpoint(
    folder: Path,
    step: int,
    weights: Iterable[Any],
    optimizer_state: Iterable[Any],
    description: Mapping[str, Any],
    *,
    kind: str = "ckpt",
    training: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a checkpoint under a temporary name and renames it once it is complete and on disk.

    Args:
        folder: The folder of the checkpoints.
        step: Number of completed steps.
        weights: The network's parameters; caches are left out.
        optimizer_state: The optimizer's parameters; if empty, no file is written.
        description: The content of `scimind.json`.
        kind: "ckpt" or "safetensors".
        training: The content of `training.json`; None writes no file.

    Returns:
        The checkpoint's folder.

    Raises:
        SciMindError: The disk is full or cannot be written; earlier checkpoints are kept.
    """
    import mindspore as ms

    target = folder / f"step_{step:06d}"
    try:
        with new_folder(target, durable=True) as temporary:
            for name, parameters in (("model", weights), ("optimizer", optimizer_state)):
                entries = [{"name": item.name, "data": item.data} for item in parameters if is_weight(item.name)]
                if entries:
                    ms.save_checkpoint(entries, str(temporary / f"{name}.{kind}"), format=kind)
            (temporary / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
            if training is not None:
                (temporary / TRAINING).write_text(json.dumps(training) + "\n", encoding="utf-8")
            seal_folder(temporary)
    except (OSError, RuntimeError) as error:
        raise SciMindError(
            f"{target}: the checkpoint cannot be written ({_first_line(error)}); make room or choose another output_dir"
        ) from error
    return target


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _listed(label: str, names: list[str]) -> str:
    """Returns "N label: a, b, …", or an empty text without names."""
    if not names:
        return ""
    shown = ", ".join(names[:_LONGEST_LIST])
    more = len(names) - _LONGEST_LIST
    return f"{len(names)} {label}: {shown}" + (f" and {more} more" if more > 0 else "")
