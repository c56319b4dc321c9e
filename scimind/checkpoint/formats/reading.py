"""Reading the header of a file of weights in either format."""

from __future__ import annotations

from pathlib import Path

from scimind.checkpoint.formats.mindspore_file import read_index
from scimind.checkpoint.formats.safetensors_file import read_header
from scimind.checkpoint.formats.tensors import StoredTensor


def read_tensors(file: Path) -> dict[str, StoredTensor]:
    """Returns the position of each tensor in a `.safetensors` or a MindSpore `.ckpt` file, without reading it.

    Raises:
        CheckpointError: The file cannot be read in the format that its suffix names.
    """
    return read_header(file) if file.suffix == ".safetensors" else read_index(file)
