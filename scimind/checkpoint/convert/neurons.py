"""The order of a feed-forward's neurons: experts are contiguous in ours, and an export can undo that.

A neuron is a row of w1 and w3 and a column of w2. Moving it in all three changes no output of the layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.formats.tensors import CHUNK, StoredTensor, bytes_of
from scimind.errors import CheckpointError

ORDER_FILE = "neuron_order.npy"


def permuted(stored: StoredTensor, order: NDArray[np.int64]) -> Iterator[memoryview]:
    """Yields the bytes of a feed-forward's weight with its neurons in another order.

    Args:
        stored: w1 or w3 [h, d], or w2 [d, h], as its name says.
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
    """Returns a hash of all layers' w1 and w3 as they are stored, in this order: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for layer in range(num_layers):
        for part in ("w1", "w3"):
            for chunk in tensors[f"model.layers.{layer}.feed_forward.{part}.weight"].chunks():
                digest.update(chunk)
    return digest.hexdigest()[:16]


def stored_is_output(name: str) -> bool:
    """Whether a name is that of the last product's matrix, in either project's words."""
    return ".w2." in name or ".down_proj." in name


def is_of_neurons(name: str) -> bool:
    """Whether one of our names is that of a matrix with a row or a column for each neuron."""
    return ".feed_forward." in name


def inverse(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the permutation that undoes `order`."""
    return np.argsort(order, kind="stable").astype(np.int64)


def read_order(folder: Path, num_layers: int, neurons: int, stated: str | None) -> list[NDArray[np.int64]] | None:
    """Returns where each neuron of a converted checkpoint stood at first, one array [h] a layer; None where none knows.

    Args:
        folder: The checkpoint's.
        num_layers: Layers of the model.
        neurons: h.
        stated: `neuron_order` of `scimind.json`.

    Raises:
        CheckpointError: The file is not the one that was written with the weights.
    """
    from scimind.checkpoint.partition import order_hash

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
