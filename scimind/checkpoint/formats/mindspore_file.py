"""MindSpore's `.ckpt`: a protocol buffer, from which this reads the tensors' positions but not the tensors.

    message Checkpoint { repeated Value value = 1; }
    message Value { string tag = 1; oneof { TensorProto tensor = 2; MapTensorProto maptensor = 3; } }
    message TensorProto { repeated int64 dims = 1; string tensor_type = 2; bytes tensor_content = 3; }

A large tensor is stored as several consecutive values with the same tag. `mindspore.load_checkpoint` holds the file,
its parsed copy and the tensors in memory at once.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from scimind.checkpoint.formats.tensors import CHUNK, StoredTensor
from scimind.errors import CheckpointError
from scimind.protobuf import fields, varint

_TYPES = {
    **{"Float64": "F64", "Float32": "F32", "Float16": "F16", "BFloat16": "BF16", "Bool": "BOOL"},
    **{f"{kind}{bits}": f"{kind[0]}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)},
}
_CHECK_MARK = b"crc_num"
_CHECK_BYTES = len(_CHECK_MARK) + 10


def read_index(file: Path) -> dict[str, StoredTensor]:
    """Returns the tensors of a file by name without reading them; strings that MindSpore stores are left out.

    Raises:
        CheckpointError: The file is not a MindSpore checkpoint, is truncated or encrypted, or its checksum differs.
    """
    found: dict[str, StoredTensor] = {}
    try:
        with file.open("rb") as stream:
            end = _end_of_values(stream, file)
            for field, start, stop in fields(stream, 0, end):
                if field != 1:
                    raise ValueError(f"field {field} at byte {start}")
                part = _value(stream, file, start, stop)
                if part is None:
                    continue
                before = found.get(part.name)
                found[part.name] = part if before is None else replace(before, spans=before.spans + part.spans)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{file}: cannot be read as a checkpoint ({error}); it is truncated, encrypted or not a MindSpore file"
        ) from error
    if not found:
        raise CheckpointError(f"{file}: cannot be read as a checkpoint (it holds no tensors)")
    for tensor in found.values():
        tensor.check()
    return found


def _end_of_values(stream: BinaryIO, file: Path) -> int:
    """Returns where the values end, after checking them against the checksum that may follow them."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _CHECK_BYTES))
    tail = stream.read()
    if len(tail) < _CHECK_BYTES or not tail.startswith(_CHECK_MARK):
        return size
    end, total = size - _CHECK_BYTES, 0
    stream.seek(0)
    for position in range(0, end, CHUNK):
        total = zlib.crc32(stream.read(min(CHUNK, end - position)), total)
    if total != int.from_bytes(tail[-10:], "big"):
        raise CheckpointError(f"{file}: is damaged (its checksum differs); download the file again")
    return end


def _value(stream: BinaryIO, file: Path, start: int, stop: int) -> StoredTensor | None:
    """Returns one value's tensor, or None for a string."""
    name, kind, dims, span = "", "", [], (0, 0)
    for field, first, last in list(fields(stream, start, stop)):
        if field == 1:
            name = _text(stream, first, last)
        elif field == 2:
            for inner, begin, end in list(fields(stream, first, last)):
                if inner == 1 and end < 0:
                    dims.append(begin)
                elif inner == 1:  # packed
                    stream.seek(begin)
                    while stream.tell() < end:
                        dims.append(varint(stream))
                elif inner == 2:
                    kind = _text(stream, begin, end)
                elif inner == 3:
                    span = (begin, end - begin)
        else:
            raise ValueError(f"{name or 'a value'} is not a tensor")
    if not name or not kind:
        raise ValueError(f"a value at byte {start} has no name or no type")
    if kind == "str":
        return None
    if kind not in _TYPES:
        raise ValueError(f"{name} has type {kind}, which is not supported")
    shape = () if dims == [0] else tuple(dims)
    return StoredTensor(name, _TYPES[kind], shape, file, (span,))


def _text(stream: BinaryIO, start: int, stop: int) -> str:
    stream.seek(start)
    return stream.read(stop - start).decode()
