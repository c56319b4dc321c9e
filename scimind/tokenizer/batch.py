"""Token ids of several texts as one padded array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError


@dataclass(frozen=True)
class BatchEncoding:
    """Padded token ids: input_ids and attention_mask (1 where there is a token) int32 [b, s], lengths int32 [b]."""

    input_ids: NDArray[np.int32]
    attention_mask: NDArray[np.int32]
    lengths: NDArray[np.int32]


def pad_rows(
    rows: Sequence[Sequence[int]], *, pad_id: int, pad_to: int | None, side: Literal["right", "left"]
) -> BatchEncoding:
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
    longest = max(map(len, rows), default=0)
    if pad_to is not None and pad_to < max(longest, 1):
        reason = "raise it, or set max_length" if longest > 1 else "give a positive length"
        raise SciMindError(f"pad_to ({pad_to}) must be at least the longest text's number of ids ({longest}); {reason}")
    columns = longest if pad_to is None else pad_to
    input_ids = np.full((len(rows), columns), pad_id, dtype=np.int32)
    attention_mask = np.zeros((len(rows), columns), dtype=np.int32)
    for index, row in enumerate(rows):
        start = 0 if side == "right" else columns - len(row)
        input_ids[index, start : start + len(row)] = row
        attention_mask[index, start : start + len(row)] = 1
    return BatchEncoding(input_ids, attention_mask, np.array([len(row) for row in rows], dtype=np.int32))
