"""Co-activation: which neurons are active for the same tokens of domain data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scimind.experts.activations import ActivationReader

_MOST_BYTES = 4 << 30


def coactivations(reader: ActivationReader) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yields each layer's number and the similarity of its neurons' activations: cosines of |u| over tokens [h, h].

    A token counts by the direction of its activations and not by their size: |u| is normalised first, or a few tokens
    with huge activations would dominate. Neurons that are never active are similar to no other.

    As many layers as have matrices that fit into 4 GiB are counted together; the data is read again for the next ones.

    Args:
        reader: The model and the data.

    Source: Zhang et al., MoEfication (Findings of ACL 2022), section 3.1, co-activation graph split, with the strength
        of SwiGLU's activations in place of ReLU's zeros.
    """
    together = max(1, _MOST_BYTES // (4 * reader.neurons**2))
    for first in range(0, reader.num_layers, together):
        layers = range(first, min(first + together, reader.num_layers))
        sums = {layer: np.zeros((reader.neurons, reader.neurons), np.float32) for layer in layers}
        for batch in reader.read(f"co-activation of layers {layers[0]} to {layers[-1]}"):
            if batch.layer in sums:
                active = np.abs(batch.u)  # [t, h]
                active /= np.maximum(np.linalg.norm(active, axis=1, keepdims=True), 1e-30)
                sums[batch.layer] += active.T @ active
        for layer in layers:
            yield layer, normalised(sums.pop(layer))


def normalised(products: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns products [h, h] divided by the lengths of both neurons, so that the diagonal is 1."""
    lengths = np.sqrt(np.maximum(products.diagonal(), 0))
    inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    result = products * inverse[:, None] * inverse
    np.fill_diagonal(result, 1)
    return result
