"""Conversion of checkpoints: planned from headers alone, then streamed tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.convert.codec import find_codec
from scimind.checkpoint.convert.neuron_order import is_of_neurons, kept_order, neuron_orders, permuted
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.routing import (
    changes_answers,
    dense_routing,
    export_losses,
    input_routing,
    replace_ranges,
    routing_note,
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
from scimind.checkpoint.formats.tensors import NewTensor, StoredTensor, are_finite
from scimind.checkpoint.seal import check_loaded
from scimind.config.routing import RoutingSettings
from scimind.errors import CheckpointError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import modality_ranges


@dataclass(frozen=True)
class Conversion:
    """A checked conversion that is ready to run.

    Args:
        source: The checkpoint to read.
        target: The checkpoint to write.
        mapping: One row per tensor: stored name, new name, type, old shape, new shape, action.
        notes: Remarks for the user.
        earlier_routing: The routing with which the input answers, if the result's gives other answers.
    """

    source: SourceCheckpoint
    target: TargetCheckpoint
    mapping: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    earlier_routing: RoutingSettings | None = None

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
    codec, codec_note = find_codec(source, options)
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
    earlier = None
    if options.to == "scimind":
        before = input_routing(source)
        notes.append(routing_note(before, routing, sizes.intermediate_size, is_measured=options.is_measured))
        if changes_answers(before, routing):
            earlier = before or dense_routing(routing.num_experts, routing.modality_ranges)
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
    return Conversion(source, target, tuple(mapping), tuple(notes), earlier)


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
        SciMindError: A file or weight does not match its recorded checksum, a weight is not finite, or the folder
            cannot be written.
    """
    source, target = conversion.source, conversion.target
    if not options.changed_weights:
        read = {tensor.file for tensor in (*source.tensors.values(), *source.gates.values())}
        check_loaded(sorted(read), advice="add --changed-weights")
    has_sums = not options.changed_weights and bool(source.description.get("checksums"))
    names = [*source.tensors, *(source.gates if options.to == "scimind" else ())]
    checked = tuple(
        replace(tensor, pieces=_checked_pieces(source, name, tensor, has_sums=has_sums))
        for name, tensor in zip(names, target.tensors, strict=True)
    )
    return write_target(
        replace(target, tensors=checked),
        Path(output),
        source.given,
        options.shard_bytes,
        overwrite=overwrite,
        done=done,
    )


def _checked_pieces(
    source: SourceCheckpoint, name: str, tensor: NewTensor, *, has_sums: bool
) -> Iterator[bytes | memoryview]:
    """Yields a tensor's pieces after verifying its checksum and while verifying its numbers."""
    if has_sums:
        source.check_sums(name)
    for piece in tensor.pieces:
        if not are_finite(piece, tensor.dtype):
            stored = source.tensors.get(name) or source.gates[name]
            raise CheckpointError(
                f"{stored.file}: {stored.name} holds NaN or infinite numbers; its training diverged or the file is "
                "damaged: convert an earlier checkpoint, or download the file again"
            )
        yield piece


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
