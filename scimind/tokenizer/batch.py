"""Encodes several texts into one padded array of token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError
from scimind.parallel import check_workers, ordered_map

# Texts per task. Starting a process takes a quarter of a second, enough to encode thousands of texts.
_TEXTS_AT_ONCE = 2000
_FEWEST_TASKS = 5


@dataclass(frozen=True)
class BatchEncoding:
    """Padded token ids: input_ids and attention_mask (1 for tokens, 0 for padding) int32 [b, s], lengths int32 [b]."""

    input_ids: NDArray[np.int32]
    attention_mask: NDArray[np.int32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True)
class RaggedRows:
    """Rows of unequal length, concatenated: ids int32 [sum of lengths], lengths int32 [b]."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> RaggedRows:
        """Returns the concatenated rows."""
        lengths = np.fromiter(map(len, rows), np.int32, len(rows))
        return cls(np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths)


def encode_rows(encode: Callable[[str], list[int]], texts: Sequence[str], workers: int) -> RaggedRows:
    """Returns the ids of several texts, in order.

    Args:
        encode: Returns the ids of a text; must be picklable if there are several workers.
        texts: The texts.
        workers: Number of encoding processes; a small number of texts is encoded in this process anyway.

    Raises:
        SciMindError: `encode` raised it, or `workers` is less than 1.
    """
    tasks = (texts[start : start + _TEXTS_AT_ONCE] for start in range(0, len(texts), _TEXTS_AT_ONCE))
    encode_task = partial(_encode_task, encode)
    with closing(ordered_map(encode_task, tasks, check_workers(workers), fewest=_FEWEST_TASKS)) as parts:
        found = list(parts) or [RaggedRows.of([])]
    return RaggedRows(*(np.concatenate([getattr(part, name) for part in found]) for name in ("ids", "lengths")))


def _encode_task(encode: Callable[[str], list[int]], texts: Sequence[str]) -> RaggedRows:
    return RaggedRows.of(list(map(encode, texts)))


def pad_rows(rows: RaggedRows, *, pad_id: int, pad_to: int | None, side: Literal["right", "left"]) -> BatchEncoding:
    """Returns rows of unequal length as padded arrays.

    Args:
        rows: The ids of each text; rows may be empty, and there may be none.
        pad_id: The padding id.
        pad_to: Number of columns s of the arrays, at least 1; None takes the length of the longest row.
        side: The side on which rows are padded.

    Raises:
        SciMindError: `pad_to` is less than 1 or less than the length of a row, or the side is unknown.
    """
    if side not in ("right", "left"):
        raise SciMindError(f"side ({side!r}) must be 'right' or 'left'")
    longest = int(rows.lengths.max(initial=0))
    if pad_to is not None and pad_to < max(longest, 1):
        remedy = "raise it, or set max_length" if longest > 1 else "give a positive length"
        raise SciMindError(
            f"pad_to ({pad_to}) must be at least the number of ids of the longest text ({longest}); {remedy}"
        )
    columns = np.arange(longest if pad_to is None else pad_to, dtype=np.int32)
    lengths = rows.lengths[:, None]
    is_token = columns < lengths if side == "right" else columns >= len(columns) - lengths  # [b, s]
    input_ids = np.full(is_token.shape, pad_id, dtype=np.int32)
    input_ids[is_token] = rows.ids
    return BatchEncoding(input_ids, is_token.astype(np.int32), rows.lengths)
