"""Options of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ConvertOptions:
    """How a checkpoint is converted.

    Args:
        kind: "hf", "mindformers", "scimind-v0" or "scimind"; None detects it.
        to: "scimind" or "hf".
        partition: Folder with each neuron's expert; None keeps their order (scimind-v0: looks next to the weights).
        tokenizer: Tokenizer folder or SentencePiece model; None looks next to the weights.
        extension: Whether SMILES gets the characters that the published tokenizer lacks; None detects it.
        vocab_multiple: The number of rows is rounded up to a multiple of this.
        new_rows: "pieces" or "mean".
        settings: `model.model_config` of a configuration: routing if it gives one, and sizes that the weights do not
            specify.
        routing: Routing settings from individual flags; they override `settings`.
        released_routing: Adds the shared experts of the original's released code.
        num_heads: Heads, for weights that do not specify them.
        allow_loss: Exports a model even if plain transformers cannot reproduce its routing.
        original_vocabulary: Exports only the rows that the weights had before they were converted.
        changed_weights: Skips the comparison of weights with their checksums.
        shard_bytes: Size limit of an export's files.
        is_measured: Whether the caller measures what a changed routing costs, which is otherwise recommended.
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
    is_measured: bool = False
