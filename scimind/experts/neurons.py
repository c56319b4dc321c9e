"""The neurons' weights, read from a checkpoint one layer at a time without building a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.convert.neuron_order import feed_forward_fingerprint
from scimind.checkpoint.finding import Checkpoint
from scimind.checkpoint.formats.reading import read_tensors
from scimind.checkpoint.formats.tensors import FLOATS, StoredTensor
from scimind.checkpoint.seal import check_loaded
from scimind.errors import CheckpointError

SOURCES = ("gate", "up", "both")


class NeuronWeights:
    """Rows of w1 (gate) and w3 (up) of each layer, in a `.safetensors` or a MindSpore `.ckpt` file.

    Only the file's index is kept; a layer is read when it is requested.

    Args:
        checkpoint: What `find_checkpoint` found.

    Raises:
        CheckpointError: The file cannot be read or does not match its seal, or a layer's weights are missing or
            misshapen.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.path = checkpoint.weights
        check_loaded([self.path])
        self._tensors = read_tensors(self.path)
        self.num_layers = 0
        while self._name(self.num_layers, "w1") in self._tensors:
            self.num_layers += 1
        if not self.num_layers:
            hint = "; these are Hugging Face's names, convert the checkpoint first" if self._is_hugging_face() else ""
            raise CheckpointError(f"{self.path}: has no {self._name(0, 'w1')}{hint}")
        self.neurons, self.hidden_size = self._entry(0, "w1").shape

    def _is_hugging_face(self) -> bool:
        return any(".self_attn." in name for name in self._tensors)

    @staticmethod
    def _name(layer: int, part: str) -> str:
        return f"model.layers.{layer}.feed_forward.{part}.weight"

    def _entry(self, layer: int, part: str) -> StoredTensor:
        entry = self._tensors.get(self._name(layer, part))
        if entry is None or len(entry.shape) != 2 or entry.dtype not in FLOATS:
            found = "missing" if entry is None else f"{entry.dtype} {list(entry.shape)}"
            raise CheckpointError(f"{self.path}: {self._name(layer, part)} is {found}; it must be floats [neurons, d]")
        return entry

    def rows(self, layer: int, part: str) -> NDArray[np.float32]:
        """Returns w1 or w3 of a layer as float32 [h, d].

        Args:
            layer: Number of the layer, from 0.
            part: "w1" or "w3".
        """
        entry = self._entry(layer, part)
        if entry.shape != (self.neurons, self.hidden_size):
            raise CheckpointError(
                f"{self.path}: {self._name(layer, part)} is {list(entry.shape)}, "
                f"the first layer's is {[self.neurons, self.hidden_size]}"
            )
        return entry.numbers()

    def vectors(self, layer: int, on: str) -> NDArray[np.float32]:
        """Returns a unit vector for each neuron of a layer, float32 [h, d] or [h, 2·d]; a zero row stays zero.

        Args:
            layer: Number of the layer, from 0.
            on: "gate" for rows of w1, "up" for rows of w3, "both" for the two concatenated with equal weight.
        """
        parts = [
            _normalised(self.rows(layer, name)) for name, of in (("w1", "gate"), ("w3", "up")) if on in (of, "both")
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1) / np.float32(np.sqrt(2))

    def fingerprint(self) -> str:
        """Returns a hash of all layers' w1 and w3 as stored, in this order: 16 hexadecimal digits."""
        return feed_forward_fingerprint(self._tensors, self.num_layers)


def _normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1).astype(np.float32)
