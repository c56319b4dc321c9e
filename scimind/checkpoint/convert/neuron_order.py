"""The order of a feed-forward's neurons: SciMind keeps each expert's contiguous, and an export can undo that.

A neuron is a row of w1 and w3 and a column of w2. Moving it in all three changes no output of the layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.source import SourceCheckpoint
from scimind.checkpoint.formats.tensors import CHUNK, StoredTensor, bytes_of
from scimind.checkpoint.partition import neuron_order, order_hash, read_description, read_partition
from scimind.config.routing import RoutingSettings
from scimind.errors import CheckpointError

ORDER_FILE = "neuron_order.npy"


def neuron_orders(
    source: SourceCheckpoint, options: ConvertOptions, routing: RoutingSettings
) -> tuple[list[NDArray[np.int64]] | None, list[str], str | None]:
    """Returns each layer's permutation (None if no neuron moves), notes, and the hash of the resulting order."""
    sizes = source.sizes
    stated = source.description.get("neuron_order")
    before = read_order(source.folder, sizes.num_layers, sizes.intermediate_size, stated)
    if options.to == "hf" and options.partition is None:
        if before is not None:
            return [inverse(order) for order in before], ["neurons return to their original order"], None
        note = ["neurons stay in the experts' order, which changes no output"] if stated else []
        return None, note, stated
    folder = options.partition
    if folder is None and source.kind == "scimind-v0":
        folder = source.folder
    if folder is None:
        return None, [], stated
    if not (folder / "patterns_0.npy").is_file() and source.kind == "scimind-v0":
        raise CheckpointError(
            f"{folder}: has no patterns_0.npy, and an original checkpoint is unusable without its experts; "
            "give --partition, the folder with patterns_0.npy …"
        )
    if source.gates:
        raise CheckpointError(
            f"{source.folder}: has a learned router, whose experts a new partition would replace; convert the weights "
            "that it was tuned from"
        )
    labels = read_partition(folder, sizes.num_layers, sizes.intermediate_size, routing.num_experts)
    stated_weights = read_description(folder).get("fingerprint")
    if (
        stated_weights
        and not options.changed_weights
        and stated_weights != feed_forward_fingerprint(source.tensors, source.sizes.num_layers)
    ):
        raise CheckpointError(
            f"{folder}: was made from weights other than {source.folder}'s; rebuild it, or add --changed-weights "
            "if it applies to these weights too"
        )
    orders = [neuron_order(of_layer) for of_layer in labels]
    composed = orders if before is None else [old[new] for old, new in zip(before, orders, strict=True)]
    return orders, [f"neurons are put into the experts' order of {folder}"], order_hash(composed)


def kept_order(
    orders: list[NDArray[np.int64]] | None, source: SourceCheckpoint, options: ConvertOptions
) -> NDArray[np.int32] | None:
    """Returns each neuron's original position [layers, h], stored with the weights; None if unchanged or unknown."""
    if options.to == "hf":
        return None
    sizes = source.sizes
    stated = source.description.get("neuron_order")
    before = read_order(source.folder, sizes.num_layers, sizes.intermediate_size, stated)
    if orders is None:
        return None if before is None else np.stack(before).astype(np.int32)
    if before is None:
        # If a partition was applied before, the order before that is not known.
        return None if stated else np.stack(orders).astype(np.int32)
    return np.stack([old[new] for old, new in zip(before, orders, strict=True)]).astype(np.int32)


def permuted(stored: StoredTensor, order: NDArray[np.int64]) -> Iterator[memoryview]:
    """Yields the bytes of a feed-forward weight with its neurons reordered.

    Args:
        stored: w1 or w3 [h, d], or w2 [d, h], depending on its name.
        order: New neuron i is old neuron `order[i]`, [h].
    """
    rows = max(1, CHUNK // max(1, stored.nbytes // stored.shape[0]))
    if stored_is_output(stored.name):
        for first in range(0, stored.shape[0], rows):
            yield bytes_of(stored.words(first, min(first + rows, stored.shape[0]))[:, order])
        return
    whole = stored.words()
    for first in range(0, len(order), rows):
        yield bytes_of(whole[order[first : first + rows]])


def feed_forward_fingerprint(tensors: Mapping[str, StoredTensor], num_layers: int) -> str:
    """Returns a hash of all layers' w1 and w3 as stored, in this order: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for layer in range(num_layers):
        for part in ("w1", "w3"):
            for chunk in tensors[f"model.layers.{layer}.feed_forward.{part}.weight"].chunks():
                digest.update(chunk)
    return digest.hexdigest()[:16]


def stored_is_output(name: str) -> bool:
    """Whether a name is that of w2, the last product's matrix, in either project's naming."""
    return ".w2." in name or ".down_proj." in name


def is_of_neurons(name: str) -> bool:
    """Whether one of our names belongs to a matrix with a row or a column for each neuron."""
    return ".feed_forward." in name


def inverse(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the permutation that undoes `order`."""
    return np.argsort(order, kind="stable").astype(np.int64)


def read_order(folder: Path, num_layers: int, neurons: int, stated: str | None) -> list[NDArray[np.int64]] | None:
    """Returns the original position of each neuron of a converted checkpoint, one [h] array per layer; None if unknown.

    Args:
        folder: The checkpoint's folder.
        num_layers: Layers of the model.
        neurons: h.
        stated: `neuron_order` in `scimind.json`.

    Raises:
        CheckpointError: The file is not the one written with the weights.
    """
    file = folder / ORDER_FILE
    if stated is None or not file.is_file():
        return None
    try:
        orders = np.load(file, allow_pickle=False).astype(np.int64)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"{file}: cannot be read ({error})") from error
    if orders.shape != (num_layers, neurons) or order_hash(orders) != stated:
        raise CheckpointError(f"{file}: is not the neuron order of these weights; copy it with them")
    return list(orders)
