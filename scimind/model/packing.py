"""Attention that stays within a record when a row holds several."""

from __future__ import annotations

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model._mindformers import splits_tensors

_CLOSED = -10000.0  # what MindFormers adds to a masked score


class SegmentMask(nn.Cell):
    """The causal mask, which also masks positions of other records.

    BOS occurs at the beginning of each record and nowhere else, so the number of BOS tokens so far identifies a
    position's record. Rotary positions need not restart, since attention depends only on their differences.

    Args:
        causal: MindFormers' mask cell: returns for tokens [b, s] a mask [b, 1, s, s], uint8 with 1 or float with -10000
            at masked positions.
        bos_token_id: Id of BOS.
        data_parallel: Ways in which the batch is split.
    """

    def __init__(self, causal: nn.Cell, bos_token_id: int, data_parallel: int = 1) -> None:
        super().__init__()
        self.causal = causal
        self.bos_token_id = bos_token_id
        self.equal, self.cast, self.count = P.Equal(), P.Cast(), P.CumSum()
        self.rows, self.columns, self.heads = P.ExpandDims(), P.ExpandDims(), P.ExpandDims()
        self.differ, self.close, self.scale, self.lower, self.higher = (
            P.NotEqual(),
            P.Cast(),
            P.Mul(),
            P.Minimum(),
            P.Maximum(),
        )
        if splits_tensors():
            batch, matrix = (data_parallel, 1), (data_parallel, 1, 1)
            mask = (data_parallel, 1, 1, 1)
            self.equal.shard((batch, ()))
            self.count.shard((batch,))
            self.rows.shard((batch,))
            self.columns.shard((batch,))
            self.differ.shard((matrix, matrix))
            self.heads.shard((matrix,))
            self.scale.shard((mask, ()))
            self.lower.shard((mask, mask))
            self.higher.shard((mask, mask))

    def construct(self, tokens: Tensor) -> Tensor:
        """Returns the mask [b, 1, s, s] of input tokens int32 [b, s], in the form of the causal mask."""
        mask = self.causal(tokens)
        record = self.count(self.cast(self.equal(tokens, self.bos_token_id), mstype.int32), 1)  # [b, s]
        differ = self.differ(self.rows(record, 2), self.columns(record, 1))  # [b, s, 1], [b, 1, s] -> [b, s, s]
        closed = self.close(self.heads(differ, 1), mask.dtype)  # [b, s, s] -> [b, 1, s, s]
        if mask.dtype == mstype.uint8:
            return self.higher(mask, closed)
        return self.lower(mask, self.scale(closed, _CLOSED))
