"""Conversion of checkpoints: planned from headers alone, then streamed tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.convert.neuron_order import is_of_neurons, kept_order, neuron_orders, permuted
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.routing import (
    export_losses,
    replace_ranges,
    routing_of,
)
from scimind.checkpoint.convert.sizes import ModelSizes
from scimind.checkpoint.convert.source import SourceCheckpoint, read_source
from scimind.checkpoint.convert.target import TargetCheckpoint, write_target
from scimind.checkpoint.convert.vocabulary import (
    ORIGINAL_PIECES,
    VocabularyPlan,
    cut_vocabulary,
    extended_rows,
    grow_vocabulary,
)
from scimind.checkpoint.convert.weight_names import EMBEDDING, HEAD, hugging_face_names
from scimind.checkpoint.description import describe_model
from scimind.checkpoint.formats.tensors import NewTensor, StoredTensor
from scimind.config.routing import RoutingSettings
from scimind.errors import SciMindError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens, modality_ranges
from scimind.tokenizer.storage import SETTINGS_NAME


@dataclass(frozen=True)
class Conversion:
    """A checked conversion that is ready to run.

    Args:
        source: The checkpoint to read.
        target: The checkpoint to write.
        mapping: One row per tensor: stored name, new name, type, old shape, new shape, action.
        notes: Remarks for the user.
    """

    source: SourceCheckpoint
    target: TargetCheckpoint
    mapping: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def table(self) -> str:
        """Returns the mapping as text, a line for each tensor."""
        widths = [max(len(row[i]) for row in self.mapping) for i in range(2)]
        return "\n".join(
            f"{old:<{widths[0]}}  ->  {new:<{widths[1]}}  {' '.join(rest)}".rstrip() for old, new, *rest in self.mapping
        )


def plan_conversion(path: str | Path, options: ConvertOptions) -> Conversion:
    """Checks everything that headers and descriptions say, and returns the plan.

    Weights are read in two cases only: to compare them with the fingerprint that a partition records, and to check
    that a tied output matrix equals the embedding.

    Args:
        path: A folder or a file of weights.
        options: How to convert.

    Raises:
        SciMindError: The weights are incomplete, or cannot be converted with these options.
    """
    settings = dict(options.settings or {})
    source = read_source(Path(path), options.kind, num_heads=options.num_heads, settings=settings)
    codec, codec_note = _codec(source, options)
    notes = [*source.notes, *codec_note]
    routing = routing_of(source, options, settings)
    orders, order_note, order_name = neuron_orders(source, options, routing)
    notes += order_note
    if options.to == "hf":
        vocabulary, vocabulary_note = cut_vocabulary(source, options)
        notes += [*vocabulary_note, *export_losses(source, routing, options)]
    else:
        vocabulary, vocabulary_note = grow_vocabulary(source, codec, options)
        notes += vocabulary_note
    rows = vocabulary.rows
    sizes = replace(source.sizes, vocab_size=rows)
    if codec is None and source.kind == "scimind-v0":
        routing = replace_ranges(routing, modality_ranges(ORIGINAL_PIECES, False), rows)
    elif rows < vocabulary.old_rows:
        routing = replace_ranges(routing, {}, rows)
    elif codec is not None and rows >= codec.vocab_size:
        routing = replace_ranges(routing, codec.modality_ranges, rows)
    description = _describe(source, sizes, routing, codec, order_name, vocabulary)
    ours_to_theirs = {ours: theirs for theirs, ours in hugging_face_names(sizes.num_layers).items()}
    tensors, mapping = [], []
    for name, stored in {**source.tensors, **(source.gates if options.to == "scimind" else {})}.items():
        new, done = _new_tensor(name, stored, vocabulary, orders)
        if options.to == "hf":
            new = replace(new, name=ours_to_theirs[name])
        tensors.append(new)
        mapping.append((stored.name, new.name, new.dtype, str(list(stored.shape)), str(list(new.shape)), done))
    target = TargetCheckpoint(
        options.to, tuple(tensors), sizes, description, codec, kept_order(orders, source, options)
    )
    return Conversion(source, target, tuple(mapping), tuple(notes))


def run_conversion(
    conversion: Conversion,
    output: str | Path,
    options: ConvertOptions,
    *,
    overwrite: bool = False,
    done: Callable[[NewTensor], None] = lambda tensor: None,
) -> list[Path]:
    """Writes what `plan_conversion` planned; the folder appears only once it is complete.

    Args:
        conversion: The plan.
        output: The new folder.
        options: How to convert.
        overwrite: Whether to replace an existing checkpoint.
        done: Called after each tensor.

    Returns:
        The files written.

    Raises:
        SciMindError: A weight does not match its recorded checksum, or the folder cannot be written.
    """
    source = conversion.source
    names = iter([*source.tensors, *source.gates])

    def checked(tensors: Iterable[NewTensor]) -> tuple[NewTensor, ...]:
        return tuple(replace(tensor, pieces=_after_check(source, next(names), tensor.pieces)) for tensor in tensors)

    target = conversion.target
    if not options.changed_weights and source.description.get("checksums"):
        target = replace(target, tensors=checked(target.tensors))
    return write_target(target, Path(output), source.folder, options.shard_bytes, overwrite=overwrite, done=done)


def _after_check(
    source: SourceCheckpoint, name: str, pieces: Iterable[bytes | memoryview]
) -> Iterable[bytes | memoryview]:
    """Yields a tensor's pieces after verifying its checksum."""
    source.check_sums(name)
    yield from pieces


def _codec(source: SourceCheckpoint, options: ConvertOptions) -> tuple[TokenCodec | None, list[str]]:
    """Returns the tokenizer of the result, and how it was found."""
    place = options.tokenizer or source.folder
    default = source.kind != "scimind-v0" if options.extension is None else options.extension
    if place.is_dir() and (place / SETTINGS_NAME).is_file():
        codec = TokenCodec.load(place)
        if options.extension is not None and options.extension != codec.extension:
            codec = TokenCodec(codec.model_file, extension=options.extension)
        return codec, [f"tokenizer: {place}"]
    if options.tokenizer is not None and not place.is_dir():
        return TokenCodec(place, extension=default), [f"tokenizer: {place}"]
    if (place / "tokenizer.model").is_file():
        return TokenCodec(place / "tokenizer.model", extension=default), [f"tokenizer: {place / 'tokenizer.model'}"]
    complete = source.kind == "scimind-v0" and source.sizes.vocab_size == ORIGINAL_PIECES + len(added_tokens(False))
    if options.to == "hf" or source.kind == "scimind" or complete:
        return None, ["no tokenizer found next to the weights: none is written"]
    raise SciMindError(
        f"{place}: has no tokenizer.model; give --tokenizer, a SentencePiece model or a SciMind tokenizer folder"
    )


def _describe(
    source: SourceCheckpoint,
    sizes: ModelSizes,
    routing: RoutingSettings,
    codec: TokenCodec | None,
    neuron_order: str | None,
    vocabulary: VocabularyPlan,
) -> dict[str, Any]:
    """Returns the content of the result's `scimind.json`; checksums are added once they are known."""
    settings = {**sizes.to_model_config(), **routing.to_dict(), "type": "SciMindConfig"}
    tree = {"model": {"model_config": settings, "arch": {"type": "SciMindForCausalLM"}}}
    fingerprint = codec.fingerprint() if codec else source.description.get("tokenizer_fingerprint")
    described = describe_model(tree, fingerprint)
    described["neuron_order"] = neuron_order
    described["original_rows"] = source.description.get("original_rows") or vocabulary.old_rows
    described["converted_from"] = source.kind
    if vocabulary.rows < vocabulary.old_rows:  # a plain Llama again: it has no tokens to route by
        described |= {"routing": {}, "modality_ranges": {}, "tokenizer_fingerprint": None}
    return json.loads(json.dumps(described))


def _new_tensor(
    name: str, stored: StoredTensor, vocabulary: VocabularyPlan, orders: list[NDArray[np.int64]] | None
) -> tuple[NewTensor, str]:
    """Returns one tensor of the result, and a short description of what happens to it."""
    if name in (EMBEDDING, HEAD) and vocabulary.rows > vocabulary.old_rows:
        shape = (vocabulary.rows, stored.shape[1])
        return NewTensor(name, stored.dtype, shape, extended_rows(stored, vocabulary)), "rows added"
    if name in (EMBEDDING, HEAD) and vocabulary.rows < vocabulary.old_rows:
        shape = (vocabulary.rows, stored.shape[1])
        row = stored.nbytes // stored.shape[0]
        return NewTensor(name, stored.dtype, shape, stored.chunks(0, vocabulary.rows * row)), "rows cut"
    if orders is not None and is_of_neurons(name):
        layer = int(name.split(".")[2])
        return NewTensor(name, stored.dtype, stored.shape, permuted(stored, orders[layer])), "neurons moved"
    return NewTensor(name, stored.dtype, stored.shape, stored.chunks()), ""
