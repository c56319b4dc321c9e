"""The folder that a conversion writes: the weights, the files needed to use them, and the tokenizer."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.atomic import new_folder
from scimind.checkpoint.convert.configurations import configuration_texts
from scimind.checkpoint.convert.neuron_order import ORDER_FILE
from scimind.checkpoint.convert.sizes import ModelSizes, write_config_json
from scimind.checkpoint.finding import DESCRIPTION
from scimind.checkpoint.formats.safetensors_file import write_file
from scimind.checkpoint.formats.tensors import NewTensor
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens, token_form

WEIGHTS = "model.safetensors"
_TYPE_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_NAMES_OF_A_CHECKPOINT = (DESCRIPTION, "config.json")


@dataclass(frozen=True)
class TargetCheckpoint:
    """The checkpoint to write.

    Args:
        to: "scimind" or "hf".
        tensors: The weights, in order.
        sizes: The model's sizes.
        description: The content of `scimind.json`.
        codec: The tokenizer; None if unknown.
        neuron_order: The original position of each neuron [layers, h]; None if they did not move.
    """

    to: str
    tensors: tuple[NewTensor, ...]
    sizes: ModelSizes
    description: Mapping[str, Any]
    codec: TokenCodec | None
    neuron_order: NDArray[np.int32] | None

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def dtype(self) -> str:
        """The type that accounts for most of the weights' bytes: "float32", "float16" or "bfloat16"."""
        count: Counter[str] = Counter()
        for tensor in self.tensors:
            count[tensor.dtype] += tensor.nbytes
        return _TYPE_NAMES[count.most_common(1)[0][0]]


def write_target(
    target: TargetCheckpoint,
    output: Path,
    source: Path,
    shard_bytes: int,
    *,
    overwrite: bool = False,
    done: Callable[[NewTensor], None],
) -> list[Path]:
    """Writes a folder under a temporary name and renames it once it is complete.

    Args:
        target: What to write.
        output: The new folder.
        source: The input; neither it nor anything in it is ever overwritten.
        shard_bytes: Size limit of an export's weight files; SciMind's own format uses a single file.
        overwrite: Whether to replace an existing checkpoint.
        done: Called after each tensor.

    Returns:
        The files written.

    Raises:
        SciMindError: The folder is in use, has too little space or cannot be written.
    """
    output = output.expanduser()
    check_output(output, source, target.nbytes, overwrite=overwrite)
    try:
        with new_folder(output) as temporary:
            sums = _write_weights(target, temporary, shard_bytes, done)
            _write_rest(target, temporary, sums)
            check_output(output, source, 0, overwrite=overwrite)  # another command may have written there meanwhile
    except OSError as error:
        raise SciMindError(
            f"--output ({output}) cannot be written ({error.strerror or error}); nothing was kept"
        ) from error
    return sorted(output.iterdir())


def check_apart(output: Path, source: Path) -> None:
    """Checks that writing one path cannot change the other.

    Args:
        output: The new folder.
        source: The input, a file or a folder.

    Raises:
        SciMindError: They are the same, or one is inside the other.
    """
    new, old = output.expanduser().resolve(), source.expanduser().resolve()
    if new == old:
        raise SciMindError(f"--output ({output}) is the input; give another folder")
    if old in new.parents:
        raise SciMindError(f"--output ({output}) is inside the input ({source}); give another folder")
    if new in old.parents:
        raise SciMindError(f"--output ({output}) contains the input ({source}); give another folder")


def check_output(output: Path, source: Path, nbytes: int, *, overwrite: bool) -> None:
    """Checks that a folder may be written and has enough space.

    Raises:
        SciMindError: It touches the input, is a file, is not empty, or the disk has too little space.
    """
    output = output.expanduser()
    check_apart(output, source)
    if output.exists() and not output.is_dir():
        raise SciMindError(f"--output ({output}) is a file; give a folder")
    if output.exists() and any(output.iterdir()):
        if not overwrite:
            raise SciMindError(f"--output ({output}) is not empty; give another folder, or --overwrite")
        if not any((output / name).is_file() for name in _NAMES_OF_A_CHECKPOINT):
            raise SciMindError(f"--output ({output}) contains something other than a checkpoint; give another folder")
    place = next(folder for folder in (output, *output.resolve().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < nbytes:
        raise SciMindError(
            f"--output ({output}) has {free / 2**20:,.0f} MiB free, the weights need {nbytes / 2**20:,.0f} MiB; "
            "make room"
        )


def _write_weights(
    target: TargetCheckpoint, folder: Path, shard_bytes: int, done: Callable[[NewTensor], None]
) -> dict[str, str]:
    """Writes the weights to one file, or to shards with an index; returns their checksums by name."""
    metadata = {"format": "pt" if target.to == "hf" else "ms"}
    if target.to != "hf" or target.nbytes <= shard_bytes:
        return write_file(folder / WEIGHTS, target.tensors, metadata, done)
    shards: list[list[NewTensor]] = [[]]
    for tensor in target.tensors:
        if shards[-1] and sum(item.nbytes for item in shards[-1]) + tensor.nbytes > shard_bytes:
            shards.append([])
        shards[-1].append(tensor)
    places: dict[str, str] = {}
    sums: dict[str, str] = {}
    for number, tensors in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        sums |= write_file(folder / name, tensors, metadata, done)
        places |= {tensor.name: name for tensor in tensors}
    index = {"metadata": {"total_size": target.nbytes}, "weight_map": places}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return sums


def _write_rest(target: TargetCheckpoint, folder: Path, sums: Mapping[str, str]) -> None:
    """Writes everything but the weights."""
    description = {**target.description, "checksums": dict(sums)}
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    if target.neuron_order is not None:
        np.save(folder / ORDER_FILE, target.neuron_order)
    if target.codec is not None:
        target.codec.save(folder)
    if target.to == "hf":
        write_config_json(folder / "config.json", target.sizes, target.dtype)
        ids = {"bos_token_id": target.sizes.bos_token_id, "eos_token_id": target.sizes.eos_token_id}
        (folder / "generation_config.json").write_text(json.dumps(ids, indent=2) + "\n", encoding="utf-8")
        if target.codec is not None:
            _write_tokenizer_config(folder, target.codec, min(target.codec.vocab_size, target.sizes.vocab_size))
    else:
        texts = configuration_texts(target.sizes, target.description, target.codec, target.dtype)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")


def _write_tokenizer_config(folder: Path, codec: TokenCodec, tokens: int) -> None:
    """Writes what transformers' LlamaTokenizer needs to produce the same ids: the added tokens, in order."""
    forms = [token_form(*token) for token in added_tokens(codec.extension)][: max(0, tokens - codec.base_size)]

    def entry(text: str, *, is_added: bool) -> dict[str, Any]:
        flags = {"lstrip": is_added, "rstrip": is_added, "normalized": False, "single_word": False}
        return {"content": text, **flags, "special": not is_added}

    specials = {str(index): entry(codec.token(index), is_added=False) for index in range(3)}
    added = {str(index): entry(form, is_added=True) for index, form in enumerate(forms, codec.base_size)}
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "legacy": True,
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": codec.token(codec.bos_id),
        "eos_token": codec.token(codec.eos_id),
        "unk_token": codec.token(codec.unk_id),
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {**specials, **added},
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
