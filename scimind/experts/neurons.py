"""The neurons' weights, read from a checkpoint's file one layer at a time; no model is built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.finding import Checkpoint
from scimind.errors import CheckpointError

SOURCES = ("gate", "up", "both")
_TYPES = {"Float32": "<f4", "Float16": "<f2", "BFloat16": "<u2", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_BLOCK = 1 << 24


@dataclass
class _Entry:
    """Where a tensor lies in the file; MindSpore cuts large ones into several pieces."""

    kind: str
    shape: tuple[int, ...]
    pieces: list[tuple[int, int]] = field(default_factory=list)  # offset, bytes


class NeuronWeights:
    """Rows of w1 (gate) and w3 (up) of each layer, in a `.safetensors` or a MindSpore `.ckpt` file.

    Only the file's table of contents is kept; a layer is read when it is asked for.

    Args:
        checkpoint: What `find_checkpoint` found.

    Raises:
        CheckpointError: The file cannot be read, or a layer's weights are missing or misshapen.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.path = checkpoint.weights
        try:
            with self.path.open("rb") as file:
                read = _safetensors_entries if self.path.suffix == ".safetensors" else _ckpt_entries
                self._entries = read(file, self.path.stat().st_size)
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise CheckpointError(f"{self.path}: cannot be read as a checkpoint ({error})") from error
        self.num_layers = 0
        while self._name(self.num_layers, "w1") in self._entries:
            self.num_layers += 1
        if not self.num_layers:
            hint = "; these are Hugging Face's names, convert the checkpoint first" if self._is_hugging_face() else ""
            raise CheckpointError(f"{self.path}: has no {self._name(0, 'w1')}{hint}")
        self.neurons, self.hidden_size = self._entry(0, "w1").shape

    def _is_hugging_face(self) -> bool:
        return any(".self_attn." in name for name in self._entries)

    @staticmethod
    def _name(layer: int, part: str) -> str:
        return f"model.layers.{layer}.feed_forward.{part}.weight"

    def _entry(self, layer: int, part: str) -> _Entry:
        entry = self._entries.get(self._name(layer, part))
        if entry is None or len(entry.shape) != 2 or entry.kind not in _TYPES:
            found = "missing" if entry is None else f"{entry.kind} {list(entry.shape)}"
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
        array = np.frombuffer(b"".join(self._blocks(entry)), _TYPES[entry.kind])
        if entry.kind in ("BFloat16", "BF16"):  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        if array.size != self.neurons * self.hidden_size:
            raise CheckpointError(f"{self.path}: {self._name(layer, part)} is cut off; get the file again")
        return array.reshape(entry.shape).astype(np.float32)

    def vectors(self, layer: int, on: str) -> NDArray[np.float32]:
        """Returns a vector of length 1 for each neuron of a layer, float32 [h, d] or [h, 2·d]; a zero row stays zero.

        Args:
            layer: Number of the layer, from 0.
            on: "gate" for rows of w1, "up" for rows of w3, "both" for both side by side, each weighing the same.
        """
        parts = [
            _normalised(self.rows(layer, name)) for name, of in (("w1", "gate"), ("w3", "up")) if on in (of, "both")
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1) / np.float32(np.sqrt(2))

    def fingerprint(self) -> str:
        """Returns a hash of all layers' w1 and w3 as they are stored, in this order: 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for layer in range(self.num_layers):
            for part in ("w1", "w3"):
                for block in self._blocks(self._entry(layer, part)):
                    digest.update(block)
        return digest.hexdigest()[:16]

    def _blocks(self, entry: _Entry) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            for offset, size in entry.pieces:
                file.seek(offset)
                while size > 0:
                    block = file.read(min(size, _BLOCK))
                    if not block:
                        return
                    size -= len(block)
                    yield block


def _normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1).astype(np.float32)


def _safetensors_entries(file: BinaryIO, size: int) -> dict[str, _Entry]:
    """Returns the tensors of a safetensors file by name."""
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= size - 8:
        raise ValueError("its header is cut off")
    header = json.loads(file.read(length))
    entries = {}
    for name, stated in header.items():
        if name != "__metadata__":
            start, stop = stated["data_offsets"]
            entries[name] = _Entry(stated["dtype"], tuple(stated["shape"]), [(8 + length + start, stop - start)])
    return entries


def _ckpt_entries(file: BinaryIO, size: int) -> dict[str, _Entry]:
    """Returns the tensors of a MindSpore checkpoint by name.

    It is a protobuf message: a list (field 1) of a name (1) and a tensor (2) of dimensions (1), type (2) and bytes (3).
    """
    entries: dict[str, _Entry] = {}
    while file.tell() < size:
        number, stop = _field(file, size)
        if number != 1:
            raise ValueError("it is no MindSpore checkpoint, or an encrypted one")
        name, kind, shape, piece = "", "", [], (0, 0)
        while file.tell() < stop:
            number, end = _field(file, stop)
            if number == 1:
                name = file.read(end - file.tell()).decode("utf-8")
            while number == 2 and file.tell() < end:
                part, last = _field(file, end)
                if part == 1:
                    shape.append(last)  # a number, which lies in the tag itself
                elif part == 2:
                    kind = file.read(last - file.tell()).decode("utf-8")
                elif part == 3:
                    piece = (file.tell(), last - file.tell())
                if part != 1:
                    file.seek(last)
            file.seek(end)
        entries.setdefault(name, _Entry(kind, tuple(shape))).pieces.append(piece)
    return entries


def _field(file: BinaryIO, stop: int) -> tuple[int, int]:
    """Returns a field's number and its value: a plain number, or the offset at which its bytes end."""
    tag = _number(file)
    value = _number(file)
    if tag & 7 == 0:
        return tag >> 3, value
    if tag & 7 != 2 or file.tell() + value > stop:
        raise ValueError("it is cut off, or no MindSpore checkpoint")
    return tag >> 3, file.tell() + value


def _number(file: BinaryIO) -> int:
    """Returns a number of protobuf: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is cut off")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("it is no MindSpore checkpoint")
