"""Weights and what describes them: found, checked strictly, loaded, and written whole or not at all.

A checkpoint is a folder:

    step_000300/
        model.ckpt          the weights
        optimizer.ckpt      moments and step of the optimizer, where they are kept
        scimind.json        what the weights need to be used
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.errors import CheckpointError, SciMindError

DESCRIPTION = "scimind.json"
_WEIGHTS = ("model.ckpt", "model.safetensors")
_SUFFIXES = (".ckpt", ".safetensors")
_STEP_FOLDER = re.compile(r"step_(\d+)")
# MindFormers' own checkpoints hold these beside the weights.
_TRAINING_STATE = re.compile(
    r"(adam_[mv]|exp_avg|exp_avg_sq|moments?|accu_grads)\..+|"
    r"global_step|epoch_num|step_num|loss_scale|scale_sense|learning_rate|current_iterator_step|last_overflow_iterator_step"
)
_LONGEST_LIST = 6


class WeightMismatchError(CheckpointError):
    """Weights whose names or shapes are not the model's.

    Args:
        path: The file.
        missing: Names that the model has and the file lacks.
        unexpected: Names that the file has and the model lacks.
        misshapen: Name, shape in the file, shape in the model.
    """

    def __init__(
        self,
        path: Path,
        missing: list[str],
        unexpected: list[str],
        misshapen: list[tuple[str, tuple[int, ...], tuple[int, ...]]],
    ) -> None:
        self.missing, self.unexpected, self.misshapen = missing, unexpected, misshapen
        parts = [
            _listed("misshapen", [f"{name} {list(there)} (model: {list(here)})" for name, there, here in misshapen]),
            _listed("missing", missing),
            _listed("unexpected", unexpected),
        ]
        advice = "give the model_config that the weights were made with"
        if any(name.startswith("model.embed_tokens") or ".self_attn." in name for name in unexpected):
            advice = "these are Hugging Face's names; convert the checkpoint first"
        super().__init__(f"{path}: does not fit the model: {'; '.join(part for part in parts if part)}; {advice}")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was found.

    Args:
        weights: The file of the weights.
        description: What `scimind.json` beside it says; empty where there is none.
    """

    weights: Path
    description: Mapping[str, Any]


def is_weight(name: str) -> bool:
    """Whether a parameter is a weight; the caches of decoding are not."""
    return not any("cache" in part for part in name.split("."))


def find_checkpoint(path: str | Path) -> Checkpoint:
    """Finds the weights that a path means.

    Args:
        path: A file of weights, a checkpoint's folder, a folder of checkpoints (the newest is meant), or a run's
            output folder.

    Returns:
        The checkpoint.

    Raises:
        CheckpointError: There is no such path, no weights in it, or more than one file that could be meant.
    """
    given = Path(path).expanduser()
    if not given.exists():
        raise CheckpointError(
            f"load_checkpoint ({path}) does not exist; give a file of weights or a run's output folder"
        )
    if given.is_file():
        if given.suffix not in _SUFFIXES:
            raise CheckpointError(f"load_checkpoint ({path}) is neither a .ckpt nor a .safetensors file")
        return _described(given)
    for name in _WEIGHTS:
        if (given / name).is_file():
            return _described(given / name)
    steps = step_folders(given)
    if steps:
        return find_checkpoint(steps[-1])
    if (given / "checkpoint").is_dir():
        return find_checkpoint(given / "checkpoint")
    files = sorted(file for file in given.iterdir() if file.suffix in _SUFFIXES)
    if len(files) == 1:
        return _described(files[0])
    found = f"{len(files)} files of weights" if files else "no weights"
    raise CheckpointError(f"load_checkpoint ({path}) holds {found}; give the file that is meant")


def step_folders(folder: Path) -> list[Path]:
    """Returns the complete checkpoints of a folder, oldest first."""
    if not folder.is_dir():
        return []
    matches = [(int(match[1]), path) for path in folder.iterdir() if (match := _STEP_FOLDER.fullmatch(path.name))]
    return [path for _, path in sorted(matches) if any((path / name).is_file() for name in _WEIGHTS)]


def routing_differences(checkpoint: Checkpoint, expected: Mapping[str, Any]) -> list[str]:
    """Returns how a checkpoint's routing differs from a model's; how it is computed (dispatch) makes no difference.

    Args:
        checkpoint: The checkpoint; one without a description differs in nothing.
        expected: What `describe_model` says of the model.
    """
    there, here = checkpoint.description.get("routing") or {}, expected.get("routing") or {}
    return [
        f"routing.{key} is {_as_json(there[key])}, the model's is {_as_json(here[key])}"
        for key in there
        if key != "dispatch" and key in here and _as_json(there[key]) != _as_json(here[key])
    ]


def check_description(checkpoint: Checkpoint, expected: Mapping[str, Any], known_faults: Iterable[str] = ()) -> None:
    """Compares what a checkpoint says of itself with a model, before the weights are read.

    Args:
        checkpoint: The checkpoint; one without a description passes.
        expected: What `describe_model` says of the model.
        known_faults: Differences that were found already.

    Raises:
        CheckpointError: A size, a modality's ids or the tokenizer differs; all differences are listed.
    """
    faults = list(known_faults)
    there, here = checkpoint.description.get("model", {}), expected.get("model", {})
    for key in ("vocab_size", "hidden_size", "num_layers", "num_heads", "n_kv_heads", "intermediate_size"):
        if key in there and key in here and there[key] != here[key]:
            faults.append(f"{key} is {there[key]}, the model's is {here[key]}")
    for key in ("modality_ranges", "tokenizer_fingerprint"):
        stated, wanted = checkpoint.description.get(key), expected.get(key)
        if stated and wanted and _as_json(stated) != _as_json(wanted):
            faults.append(f"{key} is {_as_json(stated)}, the model's is {_as_json(wanted)}")
    if faults:
        raise CheckpointError(
            f"{checkpoint.weights}: {'; '.join(faults)}; give the model_config and the tokenizer of the weights"
        )


def load_weights(network: Any, checkpoint: Checkpoint) -> None:
    """Loads weights into a network, all of them or none.

    Args:
        network: A MindSpore cell; its parameters keep their types.
        checkpoint: What `find_checkpoint` found.

    Raises:
        CheckpointError: The file cannot be read.
        WeightMismatchError: A weight is missing, unexpected or misshapen.
    """
    import mindspore as ms

    path = checkpoint.weights
    kind = "safetensors" if path.suffix == ".safetensors" else "ckpt"
    try:
        stored = ms.load_checkpoint(str(path), format=kind)
    except Exception as error:  # MindSpore raises ValueError, RuntimeError and others for a file that is cut or not one
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({_first_line(error)})") from error
    weights = {name: value for name, value in stored.items() if not _TRAINING_STATE.fullmatch(name) and is_weight(name)}
    wanted = {parameter.name: parameter for parameter in network.get_parameters() if is_weight(parameter.name)}
    missing = [name for name in wanted if name not in weights]
    unexpected = [name for name in weights if name not in wanted]
    misshapen = [
        (name, tuple(weights[name].shape), tuple(wanted[name].shape))
        for name in wanted
        if name in weights and tuple(weights[name].shape) != tuple(wanted[name].shape)
    ]
    if missing or unexpected or misshapen:
        raise WeightMismatchError(path, missing, unexpected, misshapen)
    for name, parameter in wanted.items():
        # The copy matters: set_data shares memory, and a training step would write into the loaded array's.
        parameter.set_data(ms.Tensor(weights[name].asnumpy().copy()).astype(parameter.dtype))


def save_checkpoint(
    folder: Path,
    step: int,
    weights: Iterable[Any],
    optimizer_state: Iterable[Any],
    description: Mapping[str, Any],
    *,
    kind: str = "ckpt",
) -> Path:
    """Writes a checkpoint under a temporary name and renames it when it is whole.

    Args:
        folder: The folder of the checkpoints.
        step: Steps that are done.
        weights: The network's parameters; caches are left out.
        optimizer_state: The optimizer's parameters; none are written where it is empty.
        description: What `scimind.json` says.
        kind: "ckpt" or "safetensors".

    Returns:
        The checkpoint's folder.

    Raises:
        SciMindError: The disk is full or cannot be written; checkpoints that were there stay.
    """
    import mindspore as ms

    target = folder / f"step_{step:06d}"
    temporary = folder / f".{target.name}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, parameters in (("model", weights), ("optimizer", optimizer_state)):
            entries = [{"name": item.name, "data": item.data} for item in parameters if is_weight(item.name)]
            if entries:
                ms.save_checkpoint(entries, str(temporary / f"{name}.{kind}"), format=kind)
        (temporary / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise SciMindError(
            f"{target}: the checkpoint cannot be written ({_first_line(error)}); make room or choose another output_dir"
        ) from error
    return target


def _described(weights: Path) -> Checkpoint:
    """Returns the checkpoint of a file, with the description beside it."""
    description = weights.parent / DESCRIPTION
    if not description.is_file():
        return Checkpoint(weights, {})
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{description}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{description}: must be a JSON object")
    return Checkpoint(weights, content)


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _listed(label: str, names: list[str]) -> str:
    """Returns "label: a, b, …", or nothing for no names."""
    if not names:
        return ""
    shown = ", ".join(names[:_LONGEST_LIST])
    more = len(names) - _LONGEST_LIST
    return f"{len(names)} {label}: {shown}" + (f" and {more} more" if more > 0 else "")
