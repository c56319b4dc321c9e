"""Token ids of several texts as one padded array."""

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

# Texts of a task; processes take a quarter of a second to start, in which thousands of texts are encoded.
_TEXTS_AT_ONCE = 2000
_FEWEST_TASKS = 5


@dataclass(frozen=True)
class BatchEncoding:
    """Padded token ids: input_ids and attention_mask (1 where there is a token) int32 [b, s], lengths int32 [b]."""

    input_ids: NDArray[np.int32]
    attention_mask: NDArray[np.int32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True)
class RaggedRows:
    """Rows of unequal length, one behind the other: ids int32 [sum of lengths], lengths int32 [b]."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> RaggedRows:
        """Returns rows put together."""
        lengths = np.fromiter(map(len, rows), np.int32, len(rows))
        return cls(np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths)


def encode_rows(encode: Callable[[str], list[int]], texts: Sequence[str], workers: int) -> RaggedRows:
    """Returns the ids of several texts, in their order.

    Args:
        encode: Returns a text's ids; with several workers it must be one that can be pickled.
        texts: The texts.
        workers: Processes that encode; few texts are encoded here all the same.

    Raises:
        SciMindError: What `encode` raises, or `workers` is less than 1.
    """
    tasks = (texts[start : start + _TEXTS_AT_ONCE] for start in range(0, len(texts), _TEXTS_AT_ONCE))
    encode_task = partial(_encode_task, encode)
    with closing(ordered_map(encode_task, tasks, check_workers(workers), fewest=_FEWEST_TASKS)) as parts:
        found = list(parts) or [RaggedRows.of([])]
    return RaggedRows(*(np.concatenate([getattr(part, name) for part in found]) for name in ("ids", "lengths")))


def _encode_task(encode: Callable[[str], list[int]], texts: Sequence[str]) -> RaggedRows:
    return RaggedRows.of(list(map(encode, texts)))


def pad_rows(rows: RaggedRows, *, pad_id: int, pad_to: int | None, side: Literal["right", "left"]) -> BatchEncoding:
    """Returns rows of unequal length as arrays.

    Args:
        rows: The ids of each text; no row, or an empty one, is allowed.
        pad_id: What fills the rest.
        pad_to: Columns s of the arrays, at least 1; None takes the longest row's length.
        side: Where the padding stands.

    Raises:
        SciMindError: `pad_to` is less than 1 or than a row's length, or the side is unknown.
    """
    if side not in ("right", "left"):
        raise SciMindError(f"side ({side!r}) must be 'right' or 'left'")
    longest = int(rows.lengths.max(initial=0))
    if pad_to is not None and pad_to < max(longest, 1):
        reason = "raise it, or set max_length" if longest > 1 else "give a positive length"
        raise SciMindError(f"pad_to ({pad_to}) must be at least the longest text's number of ids ({longest}); {reason}")
    columns = np.arange(longest if pad_to is None else pad_to, dtype=np.int32)
    lengths = rows.lengths[:, None]
    is_token = columns < lengths if side == "right" else columns >= len(columns) - lengths  # [b, s]
    input_ids = np.full(is_token.shape, pad_id, dtype=np.int32)
    input_ids[is_token] = rows.ids
    return BatchEncoding(input_ids, is_token.astype(np.int32), rows.lengths)
