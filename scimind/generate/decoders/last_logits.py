"""The logits after the last token of each row, computed by the model's own network."""

from __future__ import annotations

import mindspore as ms
from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.generate.decoders.protocols import CausalModel
from scimind.runtime.graph_cache import KeptGraph


class LastLogits(KeptGraph, nn.Cell):
    """Returns float32 logits [b, v] after the last token of each row.

    Args:
        model: The model.
        one_token: Whether each row holds one token (a cached step) instead of a whole sequence.
    """

    def __init__(self, model: CausalModel, *, one_token: bool) -> None:
        super().__init__(auto_prefix=False)
        self.model, self.lm_head = model.model, model.lm_head
        self.one_token = one_token
        self.hidden_size = model.config.hidden_size
        self.gather = P.Gather()
        self.reshape = P.Reshape()
        self.cast = P.Cast()

    def construct(
        self, ids: Tensor, lengths: Tensor, block_tables: Tensor = None, slot_mapping: Tensor = None
    ) -> Tensor:
        """Returns logits for ids [b, s] and lengths [b] (cached tokens included); for the rest see `CachePlaces`."""
        b, s = ids.shape
        h = self.model(ids, None, lengths, None, None, block_tables, slot_mapping)
        h = self.reshape(h, (b * s, self.hidden_size))  # [b, s, d] -> [t, d]
        if not self.one_token:
            h = self.gather(h, ms.ops.arange(0, b * s, s, dtype=ms.int32) + lengths - 1, 0)  # [t, d] -> [b, d]
        return self.cast(self.lm_head(h), ms.float32)
