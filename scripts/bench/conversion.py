"""Measures time and peak memory of `scimind convert` on a random float16 checkpoint of Llama-2 7B's shape.

    python scripts/bench/conversion.py [--form hf|ckpt] [--layers 2] [--tokenizer FILE] [--folder DIR]

A layer takes 0.4 GB and the two vocabulary matrices 0.5 GB, and the disk holds all of it twice until the end.
The form `hf` has as many rows as the tokenizer has pieces: 32,000 for Llama-2's, 2,000 for the built-in one.
The form `ckpt` is the original's: one MindSpore file with 32,098 rows, and patterns, which move every neuron.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scimind.checkpoint.convert.sizes import ModelSizes, write_config_json
from scimind.checkpoint.convert.weight_names import expected_shapes, hugging_face_names
from scimind.checkpoint.formats.safetensors_file import write_file
from scimind.checkpoint.formats.tensors import CHUNK, NewTensor
from scimind.tokenizer import TokenCodec

_EXPERTS = 16
_MEASURED = """
import json, resource, sys
from scimind.cli import main
status = main(sys.argv[1:])
print(json.dumps({"status": status, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def main() -> int:
    """Creates a checkpoint, converts it in another process, and prints time and memory."""
    parser = argparse.ArgumentParser(description="Measures time and peak memory of `scimind convert`.")
    parser.add_argument("--form", choices=("hf", "ckpt"), default="hf", help="format to convert (default: hf)")
    parser.add_argument("--layers", type=int, default=2, metavar="N", help="layers of the model (default: 2)")
    parser.add_argument(
        "--tokenizer", type=Path, metavar="FILE", help="SentencePiece model (default: the built-in one)"
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to put the temporary files")
    args = parser.parse_args()
    codec = TokenCodec(args.tokenizer)
    rows = codec.base_size if args.form == "hf" else 32098
    sizes = ModelSizes(rows, 4096, args.layers, 32, 32, 11008)
    folder = Path(tempfile.mkdtemp(prefix="scimind-bench-", dir=args.folder))
    try:
        source = folder / "source"
        source.mkdir()
        if args.form == "hf":
            shutil.copy(codec.model_file, source / "tokenizer.model")
            _write_hugging_face(source, sizes)
        else:
            _write_original(source, sizes)
        weights = sum(file.stat().st_size for file in source.iterdir())
        seconds, peak = _convert(source, folder / "output")
        print(
            f"{args.form}, {args.layers} layers, {rows} rows: {weights / 2**30:.2f} GiB in {seconds:.1f} s, "
            f"peak memory {peak / 2**30:.2f} GiB"
        )
    finally:
        shutil.rmtree(folder)
    return 0


def _convert(source: Path, output: Path) -> tuple[float, int]:
    """Returns the seconds and the peak memory in bytes of a conversion in a separate process."""
    command = [sys.executable, "-c", _MEASURED, "convert", "--input", str(source), "--output", str(output)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    start = time.monotonic()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.monotonic() - start
    measured = json.loads(done.stdout.splitlines()[-1])
    if measured["status"]:
        raise SystemExit(measured["status"])
    return seconds, measured["kib"] * 1024


def _random_bytes(nbytes: int) -> Iterator[memoryview]:
    """Yields random float16 numbers between 1 and 2, piece by piece."""
    random = np.random.default_rng(0)
    for start in range(0, nbytes, CHUNK):
        words = random.integers(0x3C00, 0x4000, min(CHUNK, nbytes - start) // 2, dtype=np.uint16)
        yield words.view(np.uint8).data


def _write_hugging_face(folder: Path, sizes: ModelSizes) -> None:
    """Writes one file per layer, one for all other weights, config.json and the index."""
    theirs = {ours: name for name, ours in hugging_face_names(sizes.num_layers).items()}
    shards: dict[str, list[NewTensor]] = {}
    for name, shape in expected_shapes(sizes).items():
        part = name.split(".")[2] if name.startswith("model.layers.") else "rest"
        tensor = NewTensor(theirs[name], "F16", shape, _random_bytes(2 * int(np.prod(shape))))
        shards.setdefault(f"model-{part}.safetensors", []).append(tensor)
    places = {tensor.name: file for file, tensors in shards.items() for tensor in tensors}
    for file, tensors in shards.items():
        write_file(folder / file, tensors, {"format": "pt"}, lambda tensor: None)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}), encoding="utf-8")
    write_config_json(folder / "config.json", sizes, "float16")


def _write_original(folder: Path, sizes: ModelSizes) -> None:
    """Writes a MindSpore checkpoint value by value as protocol buffers, and random patterns."""
    with (folder / "scimind.ckpt").open("wb") as stream:
        for name, shape in expected_shapes(sizes).items():
            nbytes = 2 * int(np.prod(shape))
            dims = b"".join(b"\x08" + _varint(size) for size in shape)
            tensor = dims + b"\x12\x07Float16" + b"\x1a" + _varint(nbytes)
            value = b"\x0a" + _varint(len(name)) + name.encode() + b"\x12" + _varint(len(tensor) + nbytes) + tensor
            stream.write(b"\x0a" + _varint(len(value) + nbytes) + value)
            for piece in _random_bytes(nbytes):
                stream.write(piece)
    random = np.random.default_rng(1)
    for layer in range(sizes.num_layers):
        labels = random.permutation(np.arange(sizes.intermediate_size) % _EXPERTS)
        np.save(folder / f"patterns_{layer}.npy", labels == np.arange(_EXPERTS)[:, None])


def _varint(value: int) -> bytes:
    """Returns a number as a protocol buffer varint."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


if __name__ == "__main__":
    sys.exit(main())
