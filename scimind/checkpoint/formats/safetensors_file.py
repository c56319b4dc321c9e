"""safetensors: eight bytes with the header's length, a JSON header, then the tensors' bytes.

The safetensors library also reads lazily. But it offers NumPy neither bfloat16 nor the position of a tensor's bytes,
which is needed to copy tensors in pieces, and it writes only tensors that are all in memory, not one after another.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scimind.atomic import new_file
from scimind.checkpoint.formats.tensors import WIDTHS, NewTensor, StoredTensor
from scimind.errors import CheckpointError
from scimind.small_files import parse_small_json

_LONGEST_HEADER = 100_000_000


def read_header(file: Path) -> dict[str, StoredTensor]:
    """Returns the tensors of a file by name without reading them.

    Raises:
        CheckpointError: The file is not a safetensors file, is truncated, or its tensors overlap or leave gaps.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if length > min(_LONGEST_HEADER, size - 8):
                raise ValueError("it is truncated or not a safetensors file")
            header = parse_small_json(stream.read(length))
        header.pop("__metadata__", None)
        tensors = {name: _stored(file, name, entry, 8 + length, size) for name, entry in header.items()}
        _check_places(tensors, 8 + length, size)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise CheckpointError(
            f"{file}: cannot be read as a checkpoint (its header is nested too deeply); download the file again"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file}: cannot be read as a checkpoint ({error}); download the file again") from error
    return tensors


def _stored(file: Path, name: str, entry: Mapping, base: int, size: int) -> StoredTensor:
    first, last = entry["data_offsets"]
    if entry["dtype"] not in WIDTHS:
        raise ValueError(f"{name} has type {entry['dtype']}, which is not supported")
    shape = entry["shape"]
    if not isinstance(shape, list) or any(type(number) is not int or number < 0 for number in (first, last, *shape)):
        raise ValueError(f"{name} has an impossible shape or place: {shape} at {first} to {last}")
    if first > last or base + last > size:
        raise ValueError(f"it ends within {name}")
    tensor = StoredTensor(name, entry["dtype"], tuple(shape), file, ((base + first, last - first),))
    tensor.check()
    return tensor


def _check_places(tensors: Mapping[str, StoredTensor], start: int, size: int) -> None:
    """Checks that the tensors follow one another without overlaps and gaps up to the end of the file."""
    end, before = start, ""
    for offset, length, name in sorted((*tensor.spans[0], tensor.name) for tensor in tensors.values()):
        if offset < end:
            raise ValueError(f"{name} overlaps {before}")
        if offset > end:
            raise ValueError(f"{offset - end} bytes before {name} belong to no tensor")
        end, before = offset + length, name
    if end != size:
        raise ValueError(f"{size - end} bytes at its end belong to no tensor")


def write_file(
    file: Path, tensors: Sequence[NewTensor], metadata: Mapping[str, str], done: Callable[[NewTensor], None]
) -> dict[str, str]:
    """Writes tensors one after the other, to a temporary file that is renamed at the end.

    Args:
        file: The file.
        tensors: What to write; only a piece of one is in memory at a time.
        metadata: Metadata for the header, such as {"format": "pt"}.
        done: Called after each tensor.

    Returns:
        The checksum of each tensor, see `checksum`.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    position = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [position, position + tensor.nbytes],
        }
        position += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    sums: dict[str, str] = {}
    with new_file(file) as temporary, temporary.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors:
            before, total = stream.tell(), 0
            for piece in tensor.pieces:
                stream.write(piece)
                total = zlib.crc32(piece, total)
            assert stream.tell() - before == tensor.nbytes, tensor.name
            sums[tensor.name] = f"{total:08x}"
            done(tensor)
    return sums


def checksum(tensor: StoredTensor) -> str:
    """Returns the CRC-32 of a tensor's bytes, eight hexadecimal digits: detects accidents, not tampering."""
    total = 0
    for piece in tensor.chunks():
        total = zlib.crc32(piece, total)
    return f"{total:08x}"
