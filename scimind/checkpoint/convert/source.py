"""The checkpoint to convert: recognised, measured and checked name by name before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scimind.checkpoint.convert.sizes import ModelSizes, read_config_json, sizes_from_shapes, stated_sizes
from scimind.checkpoint.convert.weight_names import COMPUTED, EMBEDDING, HEAD, expected_shapes, hugging_face_names
from scimind.checkpoint.finding import DESCRIPTION, find_checkpoint, read_model_description
from scimind.checkpoint.formats.reading import read_tensors
from scimind.checkpoint.formats.safetensors_file import checksum, read_header
from scimind.checkpoint.formats.tensors import FLOATS, StoredTensor
from scimind.checkpoint.weights import TRAINING_STATE, WeightMismatchError
from scimind.errors import CheckpointError, excerpt
from scimind.small_files import read_small_json

KINDS = ("hf", "mindformers", "scimind-v0", "scimind")
_INDEX = "model.safetensors.index.json"
_ADAPTER = (
    "{where}: is an adapter (adapter_config.json), not a model; merge it with its base first (peft: merge_and_unload, "
    "then save_pretrained) and convert the merged folder"
)
_LONGEST_NAME = 200  # of a file
_MOST_SHOWN = 6
_ORIGINAL_ROWS = (32066, 32098)
_HEAD_SIZE = 128  # in all published models of the original


@dataclass(frozen=True)
class SourceCheckpoint:
    """The weights to convert.

    Args:
        kind: One of `KINDS`.
        folder: The folder of the weights and the files that belong to them.
        tensors: The weights under our names, in the order of the layers.
        sizes: The model's sizes.
        description: The content of `scimind.json`; empty if there is none.
        given: The path that the user gave.
        notes: What was guessed or left out, one sentence each.
        gates: The weights of learned routers, which a plain Llama does not have.
    """

    kind: str
    folder: Path
    tensors: Mapping[str, StoredTensor]
    sizes: ModelSizes
    description: Mapping[str, Any]
    given: Path
    notes: tuple[str, ...] = ()
    gates: Mapping[str, StoredTensor] = field(default_factory=dict)

    def check_sums(self, name: str) -> None:
        """Compares a weight with its recorded checksum, if there is one.

        Raises:
            CheckpointError: The checksums differ.
        """
        stored = self.tensors.get(name) or self.gates[name]
        stated = (self.description.get("checksums") or {}).get(stored.name)
        if stated is not None and checksum(stored) != stated:
            raise CheckpointError(
                f"{stored.file}: {stored.name} has changed (its checksum differs from the one in {DESCRIPTION}); "
                "download the file again, or add --changed-weights if the change is intended"
            )


def read_source(
    path: Path, kind: str | None = None, *, num_heads: int | None = None, settings: Mapping[str, Any] | None = None
) -> SourceCheckpoint:
    """Recognises weights and checks that they are a complete Llama.

    Args:
        path: A folder or a file of weights.
        kind: One of `KINDS`; None detects it.
        num_heads: Heads, for weights without a description.
        settings: `model.model_config` of a configuration, for weights without a description.

    Raises:
        CheckpointError: The weights do not exist, or are of a kind that cannot be read.
        WeightMismatchError: Weights are missing, unexpected or misshapen; the error lists all of them.
    """
    path = path.expanduser()
    if not path.exists():
        raise CheckpointError(f"--input ({path}) does not exist")
    _refuse_adapter_folder(path if path.is_dir() else path.parent)
    stored, where, description = _read_files(path)
    if any(".lora_" in name for name in stored):
        raise CheckpointError(_ADAPTER.format(where=where))
    folder = where if where.is_dir() else where.parent
    notes: list[str] = []
    stored = {name: tensor for name, tensor in stored.items() if not _left_out(name, notes)}
    guessed = _guess(stored, folder, description, where)
    if kind is None:
        kind = guessed
        notes.insert(0, f"--from {kind} (guessed)")
    if (kind == "hf") != (guessed == "hf"):
        raise CheckpointError(f"{where}: its weights are named as in {guessed}, not as in {kind}; omit --from")
    gates = {name: item for name, item in stored.items() if re.search(r"\.feed_forward\.(gate|router)\b", name)}
    stored = {name: item for name, item in stored.items() if name not in gates}
    if kind == "hf":
        if not (folder / "config.json").is_file():
            raise CheckpointError(f"{folder}: has no config.json; give a folder of save_pretrained")
        sizes = read_config_json(folder / "config.json")
        ours = hugging_face_names(sizes.num_layers)
        tensors = {ours.get(name, name): tensor for name, tensor in stored.items()}
    else:
        tensors = stored
        sizes = _sizes_of(kind, tensors, where, description, num_heads, settings or {}, notes)
    tensors = _without_tied_head(tensors, sizes, notes)
    _check_shapes(tensors, sizes, where)
    ordered = {name: tensors[name] for name in expected_shapes(sizes)}
    return SourceCheckpoint(kind, folder, ordered, sizes, description, path, tuple(notes), gates)


def _refuse_adapter_folder(folder: Path) -> None:
    """Raises an error if a folder holds the adapter of a model instead of the model."""
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise CheckpointError(_ADAPTER.format(where=f"{folder}"))


def _read_files(path: Path) -> tuple[dict[str, StoredTensor], Path, dict[str, Any]]:
    """Returns the tensors at a path, the file or folder that holds them, and the content of its `scimind.json`."""
    if path.is_dir() and (path / _INDEX).is_file():
        return _read_shards(path / _INDEX), path, _description(path)
    if path.is_dir() and not any(path.glob("*.safetensors")) and any(path.glob("pytorch_model*.bin")):
        raise CheckpointError(
            f"{path}: holds pytorch_model.bin; save it as safetensors first (transformers' save_pretrained does)"
        )
    checkpoint = find_checkpoint(path)
    return read_tensors(checkpoint.weights), checkpoint.weights, dict(checkpoint.description)


def _read_shards(index: Path) -> dict[str, StoredTensor]:
    """Returns the tensors of all shards, each from the shard that the index names.

    Raises:
        CheckpointError: The index cannot be read, a shard is missing, or index and shards name different tensors.
    """
    try:
        places = read_small_json(index)["weight_map"]
        files = sorted(set(places.values()))
        absent = [name for name in files if not (index.parent / name[:_LONGEST_NAME]).is_file()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: cannot be read ({error}); download it again") from error
    outside = [name for name in files if Path(name).name != name or len(name) > _LONGEST_NAME]
    if outside:
        raise CheckpointError(
            f"{index}: names {excerpt(outside[0])}, which is not a file next to it; download it again"
        )
    if absent:
        shown = ", ".join(map(excerpt, absent[:_MOST_SHOWN])) + (", …" if len(absent) > _MOST_SHOWN else "")
        raise CheckpointError(f"{index.parent}: lacks {shown}, which {index.name} names; download them")
    found: dict[str, StoredTensor] = {}
    for name in files:
        found |= read_header(index.parent / name)
    missing = [name for name, file in places.items() if name not in found or found[name].file.name != file]
    unexpected = [name for name in found if name not in places]
    if missing or unexpected:
        raise WeightMismatchError(index, missing, unexpected, [], advice="shards are missing or of another model")
    return found


def _description(folder: Path) -> dict[str, Any]:
    file = folder / DESCRIPTION
    return read_model_description(file) if file.is_file() else {}


def _left_out(name: str, notes: list[str]) -> bool:
    """Whether a tensor is not a weight; adds a note for the first one of each sort."""
    for pattern, note in (
        (TRAINING_STATE, "the training state is left out"),
        (COMPUTED, "stored tables of the rotary embedding are left out; they are recomputed"),
    ):
        if pattern.fullmatch(name):
            if note not in notes:
                notes.append(note)
            return True
    return False


def _guess(stored: Mapping[str, StoredTensor], folder: Path, description: Mapping[str, Any], where: Path) -> str:
    """Returns the kind that the weights' names suggest."""
    if any(".self_attn." in name for name in stored):
        return "hf"
    if any(name.startswith("layers.") and ".attention." in name for name in stored):
        raise CheckpointError(f"{where}: is in Meta's own format; convert it to Hugging Face's format first")
    if description:
        return "scimind"
    rows = stored[EMBEDDING].shape[0] if EMBEDDING in stored else 0
    if rows in _ORIGINAL_ROWS or (folder / "patterns_0.npy").is_file():
        return "scimind-v0"
    return "mindformers"


def _sizes_of(
    kind: str,
    tensors: Mapping[str, StoredTensor],
    where: Path,
    description: Mapping[str, Any],
    num_heads: int | None,
    settings: Mapping[str, Any],
    notes: list[str],
) -> ModelSizes:
    """Returns the sizes of weights under MindFormers' names."""
    if stated := description.get("model"):
        return stated_sizes(stated, where.parent / DESCRIPTION)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if kind == "scimind-v0" and not num_heads and not settings.get("num_heads") and EMBEDDING in shapes:
        num_heads = max(1, shapes[EMBEDDING][-1] // _HEAD_SIZE)
        notes.append(f"--num-heads {num_heads} (heads of {_HEAD_SIZE}, as in the published models)")
    return sizes_from_shapes(shapes, num_heads, settings, where)


def _without_tied_head(
    tensors: dict[str, StoredTensor], sizes: ModelSizes, notes: list[str]
) -> dict[str, StoredTensor]:
    """Returns the weights without an output matrix that duplicates the embedding.

    Raises:
        CheckpointError: The model is tied but the two matrices differ.
    """
    if not sizes.tie_word_embeddings or HEAD not in tensors or EMBEDDING not in tensors:
        return tensors
    if checksum(tensors[HEAD]) != checksum(tensors[EMBEDDING]):
        raise CheckpointError(
            f"{tensors[HEAD].file}: {tensors[HEAD].name} differs from the embedding, and config.json says "
            "tie_word_embeddings; correct one of them"
        )
    notes.append("lm_head.weight duplicates the embedding and is left out")
    return {name: tensor for name, tensor in tensors.items() if name != HEAD}


def _check_shapes(tensors: Mapping[str, StoredTensor], sizes: ModelSizes, where: Path) -> None:
    """Compares names, shapes and types with those of a complete Llama."""
    wanted = expected_shapes(sizes)
    missing = [name for name in wanted if name not in tensors]
    unexpected = [tensor.name for name, tensor in tensors.items() if name not in wanted]
    misshapen = [
        (tensors[name].name, tensors[name].shape, shape)
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if missing or unexpected or misshapen:
        raise WeightMismatchError(
            where, missing, unexpected, misshapen, advice="its sizes or some of its files belong to another model"
        )
    strange = [f"{tensor.name} ({tensor.dtype})" for tensor in tensors.values() if tensor.dtype not in FLOATS]
    if strange:
        raise CheckpointError(f"{where}: {', '.join(strange[:6])}: weights must be float32, float16 or bfloat16")
