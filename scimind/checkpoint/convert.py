"""Conversion of checkpoints: planned from headers alone, then streamed tensor by tensor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.finding import DESCRIPTION
from scimind.checkpoint.names import EMBEDDING, HEAD, hugging_face_names
from scimind.checkpoint.neurons import feed_forward_fingerprint, inverse, is_of_neurons, permuted, read_order
from scimind.checkpoint.sizes import ModelSizes
from scimind.checkpoint.source import Source, read_source
from scimind.checkpoint.target import Target, write_target
from scimind.checkpoint.tensors import NewTensor, StoredTensor
from scimind.checkpoint.vocabulary import VocabularyPlan, extended_rows, plan_vocabulary
from scimind.errors import CheckpointError, SciMindError
from scimind.modality import MODALITY_NAMES
from scimind.model.settings import RoutingSettings
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens, modality_ranges
from scimind.tokenizer.storage import SETTINGS_NAME

ORIGINAL_PIECES = 32000  # of Llama-2's vocabulary, which every original model has
# The original's: a text token uses the 14 most active of 16 experts, any other token 2.
ORIGINAL_ROUTING = {
    "num_experts": 16,
    "router": "activation",
    "score": "sum",
    "experts_per_token": {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2},
}
# What its released code adds by mistake: the first experts of an all-zero score.
_REST = ["0..13"]
RELEASED_SHARED = {"text": [10, 11], "smiles": _REST, "nucleotide": _REST, "protein": _REST}


@dataclass(frozen=True)
class ConvertOptions:
    """How a checkpoint is converted.

    Args:
        kind: "hf", "mindformers", "scimind-v0" or "scimind"; None guesses it.
        to: "scimind" or "hf".
        partition: Folder with each neuron's expert; None keeps their order (scimind-v0: looks beside the weights).
        tokenizer: Tokenizer folder or SentencePiece model; None looks beside the weights.
        extension: Whether SMILES gets the characters that the published tokenizer lacks; None for what fits.
        vocab_multiple: What the number of rows is a multiple of.
        new_rows: "pieces" or "mean".
        settings: `model.model_config` of a configuration: routing, and sizes that the weights do not say.
        routing: Routing settings of single flags; they win over `settings`.
        released_routing: Adds the shared experts of the original's released code.
        num_heads: Heads, for weights that do not say.
        allow_loss: Exports a model whose routing plain transformers cannot follow.
        original_vocabulary: Exports only the rows that the weights had before they were converted.
        changed_weights: Does not compare weights with their checksums.
        shard_bytes: Largest file of an export.
    """

    kind: str | None = None
    to: str = "scimind"
    partition: Path | None = None
    tokenizer: Path | None = None
    extension: bool | None = None
    vocab_multiple: int = 64
    new_rows: str = "pieces"
    settings: Mapping[str, Any] | None = None
    routing: Mapping[str, Any] | None = None
    released_routing: bool = False
    num_heads: int | None = None
    allow_loss: bool = False
    original_vocabulary: bool = False
    changed_weights: bool = False
    shard_bytes: int = 5 * 1024**3


@dataclass(frozen=True)
class Conversion:
    """A conversion that was checked and can be run.

    Args:
        source: What is read.
        target: What is written.
        mapping: A row for each tensor: stored name, new name, type, old shape, new shape, what is done.
        notes: What a person should know.
    """

    source: Source
    target: Target
    mapping: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    def table(self) -> str:
        """Returns the mapping as text, a line for each tensor."""
        widths = [max(len(row[i]) for row in self.mapping) for i in range(2)]
        return "\n".join(
            f"{old:<{widths[0]}}  ->  {new:<{widths[1]}}  {' '.join(rest)}".rstrip() for old, new, *rest in self.mapping
        )


def plan_conversion(path: str | Path, options: ConvertOptions) -> Conversion:
    """Checks everything that headers and descriptions tell, and returns what would be done. Reads no weights, but
    where a partition says of which it was made, and where a tied output matrix has to be the embedding.

    Args:
        path: A folder or a file of weights.
        options: How.

    Raises:
        SciMindError: The weights are not whole, or cannot be converted so.
    """
    settings = dict(options.settings or {})
    source = read_source(Path(path), options.kind, num_heads=options.num_heads, settings=settings)
    codec, codec_note = _codec(source, options)
    notes = [*source.notes, *codec_note]
    routing = _routing(source, options, settings)
    orders, order_note, order_name = _orders(source, options, routing)
    notes += order_note
    if options.to == "hf":
        vocabulary = _cut(source, options, notes)
        notes += _losses(source, routing, options)
    else:
        vocabulary = _vocabulary(source, codec, options, notes)
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
    target = Target(options.to, tuple(tensors), sizes, description, codec, _kept(orders, source, options))
    return Conversion(source, target, tuple(mapping), tuple(notes))


def run_conversion(
    conversion: Conversion,
    output: str | Path,
    options: ConvertOptions,
    *,
    overwrite: bool = False,
    done: Callable[[NewTensor], None] = lambda tensor: None,
) -> list[Path]:
    """Writes what `plan_conversion` planned; the folder appears when it is whole.

    Args:
        conversion: The plan.
        output: The new folder.
        options: How.
        overwrite: Replaces a checkpoint that is there.
        done: Is called after each tensor.

    Returns:
        The files.

    Raises:
        SciMindError: A weight is not what was written, or the folder cannot be written.
    """
    source = conversion.source
    names = iter([*source.tensors, *source.gates])

    def checked(tensors: Iterable[NewTensor]) -> tuple[NewTensor, ...]:
        return tuple(replace(tensor, pieces=_after_check(source, next(names), tensor.pieces)) for tensor in tensors)

    target = conversion.target
    if not options.changed_weights and source.description.get("checksums"):
        target = replace(target, tensors=checked(target.tensors))
    return write_target(target, Path(output), source.folder, options.shard_bytes, overwrite=overwrite, done=done)


def _after_check(source: Source, name: str, pieces: Iterable[bytes | memoryview]) -> Iterable[bytes | memoryview]:
    """Yields a tensor's pieces after its checksum was compared."""
    source.check_sums(name)
    yield from pieces


def replace_ranges(routing: RoutingSettings, ranges: Mapping[str, Any], vocab_size: int) -> RoutingSettings:
    """Returns the routing with a tokenizer's modality ranges."""
    return RoutingSettings.create(**{**routing.to_dict(), "modality_ranges": ranges}, vocab_size=vocab_size)


def _codec(source: Source, options: ConvertOptions) -> tuple[TokenCodec | None, list[str]]:
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
        return None, ["no tokenizer beside the weights: none is written"]
    raise SciMindError(
        f"{place}: holds no tokenizer.model; give --tokenizer, a SentencePiece model or a folder of ours"
    )


def _routing(source: Source, options: ConvertOptions, settings: Mapping[str, Any]) -> RoutingSettings:
    """Returns the routing of the result: of flags, a configuration, the checkpoint, or by default, in that order."""
    names = [name for name in RoutingSettings.__dataclass_fields__ if name != "modality_ranges"]
    chosen: dict[str, Any] = dict(ORIGINAL_ROUTING) if source.kind == "scimind-v0" else {}
    chosen |= {key: value for key, value in (source.description.get("routing") or {}).items() if key in names}
    chosen |= {key: settings[key] for key in names if settings.get(key) is not None}
    chosen |= {key: value for key, value in (options.routing or {}).items() if value is not None}
    if options.released_routing:
        chosen["shared_experts"] = RELEASED_SHARED
    if options.partition is not None and "num_experts" not in chosen:
        from scimind.experts.partition import read_description

        stated = read_description(options.partition).get("num_experts")
        if stated is not None:
            chosen["num_experts"] = stated
    ranges = source.description.get("modality_ranges") or {}
    return RoutingSettings.create(
        **chosen,
        modality_ranges=ranges,
        vocab_size=source.sizes.vocab_size,
        intermediate_size=source.sizes.intermediate_size,
    )


def _orders(
    source: Source, options: ConvertOptions, routing: RoutingSettings
) -> tuple[list[NDArray[np.int64]] | None, list[str], str | None]:
    """Returns each layer's permutation, None for none; notes; and the name of the order that results."""
    from scimind.experts.partition import neuron_order, order_hash, read_description, read_partition

    sizes = source.sizes
    stated = source.description.get("neuron_order")
    before = read_order(source.folder, sizes.num_layers, sizes.intermediate_size, stated)
    if options.to == "hf" and options.partition is None:
        if before is not None:
            return [inverse(order) for order in before], ["neurons go back to the order that they had at first"], None
        note = ["neurons stay in the experts' order, which changes no output"] if stated else []
        return None, note, stated
    folder = options.partition
    if folder is None and source.kind == "scimind-v0":
        folder = source.folder
    if folder is None:
        return None, [], stated
    if not (folder / "patterns_0.npy").is_file() and source.kind == "scimind-v0":
        raise CheckpointError(
            f"{folder}: holds no patterns_0.npy, and an original checkpoint is of no use without its experts; "
            "give --partition, the folder with patterns_0.npy …"
        )
    if source.gates:
        raise CheckpointError(
            f"{source.folder}: has a learned router, whose experts a new partition would replace; convert the weights "
            "that it was tuned from"
        )
    labels = read_partition(folder, sizes.num_layers, sizes.intermediate_size, routing.num_experts)
    stated_weights = read_description(folder).get("fingerprint")
    if (
        stated_weights
        and not options.changed_weights
        and stated_weights != feed_forward_fingerprint(source.tensors, source.sizes.num_layers)
    ):
        raise CheckpointError(
            f"{folder}: was made from other weights than {source.folder}'s; build it again, or add --changed-weights "
            "if it is meant for these too"
        )
    orders = [neuron_order(of_layer) for of_layer in labels]
    composed = orders if before is None else [old[new] for old, new in zip(before, orders, strict=True)]
    return orders, [f"neurons are put into the experts' order of {folder}"], order_hash(composed)


def _kept(orders: list[NDArray[np.int64]] | None, source: Source, options: ConvertOptions) -> NDArray[np.int32] | None:
    """Returns where each neuron stood at first [layers, h], to be kept beside the weights; None where that is here."""
    if options.to == "hf":
        return None
    sizes = source.sizes
    stated = source.description.get("neuron_order")
    before = read_order(source.folder, sizes.num_layers, sizes.intermediate_size, stated)
    if orders is None:
        return None if before is None else np.stack(before).astype(np.int32)
    if before is None:
        # What went before is not known where a partition was applied already.
        return None if stated else np.stack(orders).astype(np.int32)
    return np.stack([old[new] for old, new in zip(before, orders, strict=True)]).astype(np.int32)


def _vocabulary(source: Source, codec: TokenCodec | None, options: ConvertOptions, notes: list[str]) -> VocabularyPlan:
    """Returns how the vocabulary grows."""
    rows = source.sizes.vocab_size
    if codec is None:
        padded = -(-rows // options.vocab_multiple) * options.vocab_multiple if source.kind == "scimind-v0" else rows
        return VocabularyPlan(rows, rows, padded, ())
    if source.kind == "scimind-v0" and codec.base_size != ORIGINAL_PIECES:
        raise CheckpointError(
            f"{source.folder}: the tokenizer has {codec.base_size} pieces, an original model's has {ORIGINAL_PIECES}; "
            "give Llama-2's tokenizer.model with --tokenizer"
        )
    ours = bool(source.description) or (source.folder / SETTINGS_NAME).is_file() or source.kind == "scimind-v0"
    if rows > codec.base_size and not ours:
        raise CheckpointError(
            f"{source.folder}: has {rows} rows of the vocabulary, the tokenizer has {codec.base_size} pieces; what "
            "the rows behind stand for is not known: remove them (transformers' resize_token_embeddings), or give "
            "the tokenizer that has them"
        )
    before = source.description.get("tokenizer_fingerprint")
    if before and before != codec.fingerprint():
        raise CheckpointError(
            f"{source.folder}: tokenizer_fingerprint is {before}, the tokenizer's is {codec.fingerprint()}; "
            "give the tokenizer of the weights, with its own --extension or --no-extension"
        )
    plan = plan_vocabulary(
        codec, rows, multiple=options.vocab_multiple, new_rows=options.new_rows, where=str(source.folder)
    )
    if plan.rows != rows:
        notes.append(f"vocabulary: {plan.describe()}")
    return plan


def _cut(source: Source, options: ConvertOptions, notes: list[str]) -> VocabularyPlan:
    """Returns the rows that an export has."""
    rows = source.sizes.vocab_size
    if not options.original_vocabulary:
        return VocabularyPlan(rows, rows, rows, ())
    kept = source.description.get("original_rows")
    if not kept:
        raise CheckpointError(f"{source.folder}: {DESCRIPTION} does not say original_rows; export all rows")
    notes.append(f"vocabulary: the first {kept} of {rows} rows")
    return VocabularyPlan(rows, kept, kept, ())


def _losses(source: Source, routing: RoutingSettings, options: ConvertOptions) -> list[str]:
    """Returns what plain transformers, where every token uses every neuron, does not do.

    Raises:
        CheckpointError: It loses something, and that was not allowed.
    """
    if not source.description.get("routing"):
        return []
    every = routing.num_experts
    lost = [
        f"{modality} {routing.active_experts(modality)} of {every} experts"
        for modality in MODALITY_NAMES
        if not uses_all(routing, modality) and (modality == "text" or routing.modality_ranges.get(modality))
    ]
    parts = [f"its routing (router {routing.router}; {', '.join(lost)})"] if lost else []
    parts += [f"its gates ({len(source.gates)} weights of a learned router)"] if source.gates else []
    if not parts:
        return []
    text = f"plain transformers uses every expert for every token: the export loses {' and '.join(parts)}"
    if not options.allow_loss:
        raise CheckpointError(
            f"{source.folder}: {text}, so that its outputs differ; add --allow-loss if you want that, for example to "
            "finetune it as a dense model"
        )
    return [text]


def uses_all(routing: RoutingSettings, modality: str) -> bool:
    """Whether a modality's tokens use every expert, so that their feed-forward is the dense one."""
    every = routing.num_experts
    if routing.router == "modality":
        return len(routing.expert_sets[modality]) == every
    return routing.experts_per_token[modality] == every or len(routing.shared_experts[modality]) == every


def _describe(
    source: Source,
    sizes: ModelSizes,
    routing: RoutingSettings,
    codec: TokenCodec | None,
    neuron_order: str | None,
    vocabulary: VocabularyPlan,
) -> dict[str, Any]:
    """Returns what `scimind.json` says of the result; checksums are added when they are known."""
    from scimind.checkpoint.description import describe_model

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
    """Returns one tensor of the result, and in a word what is done with it."""
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
