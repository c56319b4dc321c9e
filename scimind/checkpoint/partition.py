"""Partitions: which expert each neuron of each layer belongs to, on disk and as a permutation.

A partition is a folder:

    partition/
        patterns_0.npy      one file per layer: the expert of each neuron, int32 [h]
        partition.json      how it was made, and from which weights

Expert e of a SciMind model owns the neurons e·f … (e+1)·f. A partition is applied by permuting the neurons of a layer
(rows of w1 and w3, columns of w2) by `neuron_order`, which changes no output of the dense layer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scimind.atomic import new_folder
from scimind.errors import DataError, SciMindError
from scimind.small_files import read_small_json

FORMAT = 1
DESCRIPTION = "partition.json"
_PATTERN = re.compile(r"patterns_(\d+)\.npy")
_HASH_DIGITS = 16


def neuron_order(labels: ArrayLike) -> NDArray[np.int64]:
    """Returns the permutation that brings each expert's neurons together, int64 [h].

    New neuron i is old neuron `order[i]`: w1 and w3 become `w[order]`, w2 becomes `w2[:, order]`. Within an expert the
    old order is kept.

    Args:
        labels: The expert of each neuron, int [h].
    """
    return np.argsort(np.asarray(labels), kind="stable").astype(np.int64)


def order_hash(orders: Iterable[ArrayLike]) -> str:
    """Returns a short hash of all layers' `neuron_order`, for `scimind.json`.

    Args:
        orders: One permutation [h] per layer, first layer first.

    Returns:
        16 hexadecimal digits; equal for equal permutations on every machine.
    """
    digest = hashlib.sha256()
    for order in orders:
        array = np.ascontiguousarray(order, dtype="<i8")
        digest.update(np.array(array.shape, dtype="<i8").tobytes() + array.tobytes())
    return digest.hexdigest()[:_HASH_DIGITS]


def check_labels(labels: NDArray[Any], num_experts: int, where: str | Path) -> NDArray[np.int32]:
    """Returns labels as int32 [h] after checking that each expert has the same number of neurons.

    Args:
        labels: The expert of each neuron: integers [h], or the original's form with one row per expert, bool or 0/1
            [e, h].
        num_experts: e.
        where: The source of the labels, named in error messages.

    Raises:
        DataError: The labels have the wrong shape, name an expert that does not exist, or are not balanced.
    """
    if labels.ndim == 2:
        labels = _labels_of_rows(labels, num_experts, where)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"holds {labels.dtype} {list(labels.shape)}; it must be integers [neurons] or bool [experts, neurons]",
            where,
        )
    if labels.size == 0 or labels.size % num_experts:
        raise DataError(
            f"has {labels.size} neurons, not divisible by num_experts ({num_experts}); choose another num_experts",
            where,
        )
    if labels.min() < 0 or labels.max() >= num_experts:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise DataError(f"names expert {wrong}; experts are 0 … {num_experts - 1}", where)
    sizes = np.bincount(labels, minlength=num_experts)
    size = labels.size // num_experts
    if (sizes != size).any():
        expert = int(np.argmax(sizes != size))
        raise DataError(
            f"gives expert {expert} {sizes[expert]} neurons, but each must have {size} ({labels.size} / {num_experts})",
            where,
        )
    return labels.astype(np.int32)


def _labels_of_rows(rows: NDArray[Any], num_experts: int, where: str | Path) -> NDArray[np.int64]:
    """Returns the labels [h] of the original's form, in which row e marks the neurons of expert e."""
    if len(rows) != num_experts:
        raise DataError(f"has {len(rows)} experts, the model has {num_experts}; set num_experts to {len(rows)}", where)
    marks = rows.astype(bool)
    if not np.array_equal(marks, rows):
        raise DataError("has values other than 0 and 1; row e must mark the neurons of expert e", where)
    owners = marks.sum(axis=0)
    if (owners != 1).any():
        neuron = int(np.argmax(owners != 1))
        raise DataError(f"assigns neuron {neuron} to {owners[neuron]} experts; each neuron must have one", where)
    return marks.argmax(axis=0)


def read_partition(folder: str | Path, num_layers: int, neurons: int, num_experts: int) -> list[NDArray[np.int32]]:
    """Reads a partition and checks that it fits such a model.

    Args:
        folder: Holds `patterns_0.npy` …; a `partition.json` is checked if there is one.
        num_layers: Layers of the model; the folder must have exactly these.
        neurons: h.
        num_experts: e.

    Returns:
        The expert of each neuron, one int32 [h] array per layer; each expert has h / e neurons.

    Raises:
        DataError: The folder does not exist, has too few or too many layers, or a file does not fit.
    """
    path = Path(folder).expanduser()
    found = _pattern_files(path)
    if not found:
        raise DataError("has no patterns_0.npy; give the folder that `scimind experts build` wrote", path)
    missing = [layer for layer in range(num_layers) if layer not in found]
    if missing or len(found) != num_layers:
        what = f"lacks patterns_{missing[0]}.npy" if missing else f"has {len(found)} layers"
        raise DataError(f"{what}, the model has {num_layers} layers; give the partition of this model", path)
    stated = read_description(path)
    for key, value in (("num_layers", num_layers), ("neurons", neurons), ("num_experts", num_experts)):
        if key in stated and stated[key] != value:
            raise DataError(f"{key} is {stated[key]}, the model's is {value}; give its partition", path / DESCRIPTION)
    return [_read_labels(found[layer], neurons, num_experts) for layer in range(num_layers)]


def _pattern_files(folder: Path) -> dict[int, Path]:
    """Returns the layers' files by number; empty if the folder does not exist."""
    if not folder.is_dir():
        return {}
    matches = [(_PATTERN.fullmatch(file.name), file) for file in folder.iterdir()]
    return {int(match[1]): file for match, file in matches if match}


def _read_labels(file: Path, neurons: int, num_experts: int) -> NDArray[np.int32]:
    try:
        array = np.load(file, allow_pickle=False)
    except Exception as error:  # numpy lets through whatever its parser of the header raises
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"cannot be read as a numpy array ({reason}); copy the partition again", file) from error
    labels = check_labels(array, num_experts, file)
    if len(labels) != neurons:
        raise DataError(f"has {len(labels)} neurons, the model's layers have {neurons}", file)
    return labels


def read_description(folder: str | Path) -> dict[str, Any]:
    """Returns the content of `partition.json`; empty if there is none, as for the original's partitions.

    Raises:
        DataError: The file is not a JSON object, or was written by a later version.
    """
    path = Path(folder).expanduser() / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        content = read_small_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", path) from error
    if content.get("format", FORMAT) != FORMAT:
        raise DataError(f"has format {content['format']}, this version reads {FORMAT}; update scimind", path)
    return content


def check_made_from(folder: str | Path, fingerprint: str) -> None:
    """Checks that a partition was made from these weights; one without a fingerprint passes.

    Args:
        folder: The partition.
        fingerprint: What `NeuronWeights.fingerprint` returns for the weights.

    Raises:
        DataError: It was made from other weights, whose neurons differ.
    """
    stated = read_description(folder).get("fingerprint")
    if stated and stated != fingerprint:
        raise DataError(
            f"was made from weights ({stated}) other than the checkpoint's ({fingerprint}); build it again",
            Path(folder) / DESCRIPTION,
        )


def write_partition(
    folder: str | Path,
    layers: Sequence[ArrayLike],
    num_experts: int,
    description: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
) -> Path:
    """Writes a partition under a temporary name and renames it once it is complete.

    Args:
        folder: The new folder; an earlier partition there is replaced, anything else is left alone.
        layers: The expert of each neuron, one [h] array per layer.
        num_experts: e.
        description: How it was made: method, seed, settings, fingerprint of the weights …; sizes and the order's hash
            are added. Equal descriptions and layers give equal bytes.
        texts: Further files by name, such as a report.

    Returns:
        The folder.

    Raises:
        DataError: A layer is not balanced.
        SciMindError: The folder contains something else, or cannot be written.
    """
    target = Path(folder).expanduser()
    checked = [check_labels(np.asarray(labels), num_experts, f"layer {i}") for i, labels in enumerate(layers)]
    content = {
        "format": FORMAT,
        **description,
        "num_experts": num_experts,
        "num_layers": len(checked),
        "neurons": len(checked[0]),
        "neuron_order": order_hash(neuron_order(labels) for labels in checked),
    }
    check_target(target)
    try:
        with new_folder(target) as temporary:
            for layer, labels in enumerate(checked):
                np.save(temporary / f"patterns_{layer}.npy", labels)
            for name, text in {DESCRIPTION: json.dumps(content, indent=2) + "\n", **(texts or {})}.items():
                (temporary / name).write_text(text, encoding="utf-8")
            check_target(target)  # another command may have written there meanwhile
    except OSError as error:
        raise SciMindError(
            f"{folder}: the partition cannot be written ({error.strerror}); choose another --output"
        ) from error
    return target


def check_target(folder: str | Path) -> None:
    """Checks that a partition may be written to a folder: it is new or empty, or holds one of our partitions.

    Raises:
        SciMindError: It is a file, or contains something else.
    """
    path = Path(folder).expanduser()
    if path.is_dir() and (not any(path.iterdir()) or (path / DESCRIPTION).is_file()):
        return
    if path.exists():
        raise SciMindError(f"{folder}: exists and is not a partition; choose another --output")
