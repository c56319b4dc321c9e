"""Looking up what a token's id determines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.modality import MODALITY_NAMES, modality_table
from scimind.model._mindformers import splits_tensors


class RowLookup(nn.Cell):
    """Looks up a row for each token: one gather instead of first the modality and then its properties.

    Args:
        rows: One row per token [v, …].
        data_parallel: Ways in which tokens are split, if `rows` has two axes.
    """

    def __init__(self, rows: Tensor, data_parallel: int = 1) -> None:
        super().__init__()
        self.rows = rows
        self.gather = P.Gather()
        if splits_tensors():
            self.gather.shard(((1, 1), (data_parallel,)))

    def construct(self, ids: Tensor) -> Tensor:
        """Returns the rows [t, …] of ids [t] int32."""
        return self.gather(self.rows, ids, 0)


def expert_rows(
    experts: Mapping[str, Sequence[int]], num_experts: int, vocab_size: int, ranges: Mapping[str, Any]
) -> np.ndarray:
    """Returns whether each expert is among those of a token's modality, bool [v, e].

    Args:
        experts: Experts of each modality.
        num_experts: e.
        vocab_size: v.
        ranges: Ranges of token ids of each modality.
    """
    of_modality = np.zeros((len(MODALITY_NAMES), num_experts), bool)
    for row, name in zip(of_modality, MODALITY_NAMES, strict=True):
        row[list(experts[name])] = True
    return of_modality[modality_table(vocab_size, ranges)]


def member_rows(vocab_size: int, ranges: Mapping[str, Any], pad_token_id: int) -> np.ndarray:
    """Returns 1 where a token is of a modality, float32 [v, modalities]; padding has no modality."""
    member = np.eye(len(MODALITY_NAMES), dtype=np.float32)[modality_table(vocab_size, ranges)]
    member[pad_token_id] = 0
    return member
