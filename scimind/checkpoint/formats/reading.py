"""A file of weights, whichever of the two kinds it is."""

from __future__ import annotations

from pathlib import Path

from scimind.checkpoint.formats.mindspore_file import read_index
from scimind.checkpoint.formats.safetensors_file import read_header
from scimind.checkpoint.formats.tensors import StoredTensor


def read_tensors(file: Path) -> dict[str, StoredTensor]:
    """Returns where each tensor of a `.safetensors` or a MindSpore `.ckpt` file lies; reads no tensor.

    Raises:
        CheckpointError: The file cannot be read as what its name says.
    """
    return read_header(file) if file.suffix == ".safetensors" else read_index(file)
