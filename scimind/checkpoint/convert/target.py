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
import yaml
from numpy.typing import NDArray

from scimind.atomic import new_folder
from scimind.checkpoint.convert.neuron_order import ORDER_FILE
from scimind.checkpoint.convert.sizes import ModelSizes, write_config_json
from scimind.checkpoint.finding import DESCRIPTION
from scimind.checkpoint.formats.safetensors_file import write_file
from scimind.checkpoint.formats.tensors import NewTensor
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens, token_form

WEIGHTS = "model.safetensors"
PREDICT = "predict.yaml"
_TYPE_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_NAMES_OF_A_CHECKPOINT = (DESCRIPTION, "config.json")
_TABLE = 4096  # longer position tables are left to the user, since attention masks grow with the square of the length


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
        source: The folder that is read; it is never overwritten.
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
            _write_rest(target, temporary, output, sums)
    except OSError as error:
        raise SciMindError(
            f"--output ({output}) cannot be written ({error.strerror or error}); nothing was kept"
        ) from error
    return sorted(output.iterdir())


def check_output(output: Path, source: Path, nbytes: int, *, overwrite: bool) -> None:
    """Checks that a folder may be written and has enough space.

    Raises:
        SciMindError: It is the input, is a file, is not empty, or the disk has too little space.
    """
    if output.resolve() == source.resolve():
        raise SciMindError(f"--output ({output}) is the input folder; give another folder")
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
            f"--output ({output}) has {free / 2**30:.1f} GiB free, the weights need {nbytes / 2**30:.1f} GiB; make room"
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


def _write_rest(target: TargetCheckpoint, folder: Path, output: Path, sums: Mapping[str, str]) -> None:
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
        (folder / PREDICT).write_text(predict_yaml(target, output), encoding="utf-8")


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


def predict_yaml(target: TargetCheckpoint, output: Path) -> str:
    """Returns a configuration with which `scimind predict` can use the checkpoint as it is.

    Args:
        target: The checkpoint.
        output: Its final folder.
    """
    on_ascend = Path("/dev/davinci_manager").exists()
    folder = output.resolve()
    description = target.description
    model = {
        "type": "SciMindConfig",
        "batch_size": 1,
        **target.sizes.to_model_config(),
        "seq_length": min(target.sizes.seq_length, _TABLE),
        "compute_dtype": target.dtype if on_ascend else "float32",
        "param_init_type": target.dtype if on_ascend else "float32",
        "layernorm_compute_type": "float32",
        "softmax_compute_type": "float32",
        "rotary_dtype": "float32",
        "use_flash_attention": on_ascend,
        "fused_rms_norm": on_ascend,
        "use_rope_slice": not on_ascend,
        "use_past": True,
        **description["routing"],
        "modality_ranges": description["modality_ranges"],
    }
    tree: dict[str, Any] = {
        "run_mode": "predict",
        "output_dir": "./output/predict",
        "load_checkpoint": str(folder),
        "use_parallel": False,
        "trainer": {"type": "CausalLanguageModelingTrainer", "model_name": "scimind"},
        "generation": {"max_new_tokens": 256, "do_sample": False, "batch_size": 8},
        "context": {"mode": 0, "device_target": "Ascend" if on_ascend else "CPU", "device_id": 0},
        "model": {"model_config": model, "arch": {"type": "SciMindForCausalLM"}},
    }
    if target.codec is not None:
        tree["processor"] = {
            "tokenizer": {
                "type": "SciMindTokenizer",
                "vocab_file": str(folder / "tokenizer.model"),
                "extension": target.codec.extension,
            }
        }
    head = (
        "# Answers prompts with the converted checkpoint next to this file.\n#\n"
        f"#   scimind predict --config {folder / PREDICT} --input PROMPTS --output predictions.jsonl\n#\n"
        "# For finetuning, copy model.model_config, processor and load_checkpoint into your own file.\n"
    )
    return head + yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=110)
