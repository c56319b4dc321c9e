"""The rows of the embedding and the output matrix: rows added for new tokens, and rows that an export leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.source import SourceCheckpoint
from scimind.checkpoint.finding import DESCRIPTION
from scimind.checkpoint.formats.tensors import CHUNK, StoredTensor, bytes_of, from_float32
from scimind.errors import CheckpointError
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens
from scimind.tokenizer.storage import SETTINGS_NAME

NEW_ROWS = ("pieces", "mean")
ORIGINAL_PIECES = 32000  # in Llama-2's vocabulary, which every original model has


@dataclass(frozen=True)
class VocabularyPlan:
    """How a vocabulary grows; existing rows are kept unchanged, so that their logits stay bit-identical.

    Args:
        old_rows: Rows of the weights.
        tokens: Tokens afterwards.
        rows: Rows afterwards: tokens, then padding, whose rows are zero so that no hidden state resembles them.
        pieces: For each new token, the ids of the text pieces whose mean row initialises it; empty for the mean of all
            rows.
    """

    old_rows: int
    tokens: int
    rows: int
    pieces: tuple[tuple[int, ...], ...]

    def describe(self) -> str:
        """Returns a description of what is added."""
        means = "the mean of all rows" if not any(self.pieces) else "the mean of the pieces that spell each"
        added = f"{len(self.pieces)} new tokens ({means})" if self.pieces else "no new tokens"
        return f"{self.old_rows} rows -> {self.rows}: {added}, {self.rows - max(self.tokens, self.old_rows)} padding"


def grow_vocabulary(
    source: SourceCheckpoint, codec: TokenCodec | None, options: ConvertOptions
) -> tuple[VocabularyPlan, list[str]]:
    """Returns how to extend a checkpoint's vocabulary to all tokens of its tokenizer, and notes.

    Args:
        source: The checkpoint.
        codec: Its tokenizer; None leaves the tokens as they are.
        options: The conversion's options.

    Raises:
        CheckpointError: The tokenizer does not match the weights.
    """
    rows = source.sizes.vocab_size
    if codec is None:
        padded = -(-rows // options.vocab_multiple) * options.vocab_multiple if source.kind == "scimind-v0" else rows
        return VocabularyPlan(rows, rows, padded, ()), []
    if source.kind == "scimind-v0" and codec.base_size != ORIGINAL_PIECES:
        raise CheckpointError(
            f"{source.folder}: the tokenizer has {codec.base_size} pieces, an original model's has {ORIGINAL_PIECES}; "
            "give Llama-2's tokenizer.model with --tokenizer"
        )
    ours = bool(source.description) or (source.folder / SETTINGS_NAME).is_file() or source.kind == "scimind-v0"
    if rows > codec.base_size and not ours:
        raise CheckpointError(
            f"{source.folder}: has {rows} vocabulary rows, but the tokenizer has {codec.base_size} pieces; the "
            "tokens of the remaining rows are not known: remove the rows (transformers' resize_token_embeddings), or "
            "give the tokenizer that has them"
        )
    before = source.description.get("tokenizer_fingerprint")
    if before and before != codec.fingerprint():
        raise CheckpointError(
            f"{source.folder}: tokenizer_fingerprint is {before}, but the given tokenizer's is {codec.fingerprint()}; "
            "give the tokenizer of the weights, with the same --extension or --no-extension"
        )
    plan = plan_vocabulary(
        codec, rows, multiple=options.vocab_multiple, new_rows=options.new_rows, where=str(source.folder)
    )
    return plan, [f"vocabulary: {plan.describe()}"] if plan.rows != rows else []


def cut_vocabulary(source: SourceCheckpoint, options: ConvertOptions) -> tuple[VocabularyPlan, list[str]]:
    """Returns which rows an export keeps, and notes.

    Raises:
        CheckpointError: Only the original rows are requested, but it is not known which these are.
    """
    rows = source.sizes.vocab_size
    if not options.original_vocabulary:
        return VocabularyPlan(rows, rows, rows, ()), []
    original_rows = source.description.get("original_rows")
    if not original_rows:
        raise CheckpointError(f"{source.folder}: {DESCRIPTION} has no original_rows; export all rows")
    plan = VocabularyPlan(rows, original_rows, original_rows, ())
    return plan, [f"vocabulary: the first {original_rows} of {rows} rows"]


def plan_vocabulary(codec: TokenCodec, old_rows: int, *, multiple: int, new_rows: str, where: str) -> VocabularyPlan:
    """Returns how to extend weights with `old_rows` rows to all tokens of a tokenizer.

    Args:
        codec: The tokenizer.
        old_rows: Rows of the weights: the SentencePiece vocabulary, possibly with some or all of the added tokens.
        multiple: The new number of rows is rounded up to a multiple of this.
        new_rows: "pieces" or "mean".
        where: The weights, for error messages.

    Raises:
        CheckpointError: The weights have fewer rows than the SentencePiece vocabulary.
        SciMindError: `multiple` is below 1.
    """
    if old_rows < codec.base_size:
        raise CheckpointError(
            f"{where}: has {old_rows} vocabulary rows, but the tokenizer has {codec.base_size} pieces; "
            "give the tokenizer of the weights with --tokenizer"
        )
    codec.padded_vocab_size(multiple)  # checks it
    rows = -(-max(old_rows, codec.vocab_size) // multiple) * multiple
    characters = added_tokens(codec.extension)[old_rows - codec.base_size :]
    spelled = [spelling(codec, character) if new_rows == "pieces" else () for _, character in characters]
    return VocabularyPlan(old_rows, codec.vocab_size, rows, tuple(spelled))


def spelling(codec: TokenCodec, character: str) -> tuple[int, ...]:
    """Returns the ids of the pieces that spell a character: alone, at the start of a word, or as its bytes."""
    single = [codec.token_id(piece) for piece in (character, f"▁{character}")]
    found = [index for index in single if index != codec.unk_id and index < codec.base_size]
    return tuple(found or codec.encode(codec.escape(character), bos=False))


def extended_rows(stored: StoredTensor, plan: VocabularyPlan) -> Iterator[bytes | memoryview]:
    """Yields the bytes of a matrix [v, d] with its new rows: the old rows unchanged, the new ones, the padding.

    Args:
        stored: The embedding or the output matrix, [old_rows, d].
        plan: What is added.
    """
    yield from stored.chunks()
    width = stored.shape[1]
    if plan.pieces:
        yield bytes_of(from_float32(_new_rows(stored, plan.pieces), stored.dtype))
    padding = plan.rows - plan.old_rows - len(plan.pieces)
    yield bytes_of(from_float32(np.zeros((padding, width), np.float32), stored.dtype))


def _new_rows(stored: StoredTensor, pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns the rows of the new tokens, float32 [n, d]."""
    rows = np.empty((len(pieces), stored.shape[1]), np.float32)
    whole = _mean_row(stored) if not all(pieces) else None
    for row, ids in zip(rows, pieces, strict=True):
        row[:] = np.mean([stored.numbers(i, i + 1)[0] for i in ids], axis=0, dtype=np.float64) if ids else whole
    return rows


def _mean_row(stored: StoredTensor) -> np.ndarray:
    """Returns the mean of all rows, float64 [d], computed one block of rows at a time."""
    total = np.zeros(stored.shape[1], np.float64)
    step = max(1, CHUNK // (4 * stored.shape[1]))
    for first in range(0, stored.shape[0], step):
        total += stored.numbers(first, min(first + step, stored.shape[0])).sum(axis=0, dtype=np.float64)
    return total / stored.shape[0]
