"""How a checkpoint is to be converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
