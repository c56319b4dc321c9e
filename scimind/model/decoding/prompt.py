"""The network for whole prompts: the logits after each prompt, and the keys and values of all its tokens."""

from __future__ import annotations

from mindspore import Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.cpu.heads import Heads
from scimind.model.decoding.shared import DecodingParts
from scimind.runtime.graph_cache import KeptGraph


class PromptNetwork(KeptGraph, nn.Cell):
    """Processes prompts that are padded on the right.

    Args:
        parts: The model's components.
    """

    is_steady = True

    def __init__(self, parts: DecodingParts) -> None:
        super().__init__(auto_prefix=False)
        self.parts, self.graph_key = parts, parts.graph_key
        self.head_dim, self.num_heads, self.num_kv_heads = parts.head_dim, parts.num_heads, parts.num_kv_heads
        self.has_balance = parts.routing.has_balance
        self.heads = Heads(self.head_dim)
        self.gather = P.Gather()
        self.reshape = P.Reshape()
        self.transpose = P.Transpose()
        self.scores = P.BatchMatMul(transpose_b=True)
        self.values = P.BatchMatMul()
        self.add_mask = P.BiasAdd()
        self.softmax = P.Softmax()
        self.cast = P.Cast()
        self.tile = P.Tile()

    def construct(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns float32 logits [b, v] after each prompt, and each layer's keys and values [b·n_kv, s, p] in turn.

        Args:
            ids: [b, s] int32.
            lengths: Tokens of each prompt [b] int32.
            mask: Added to the scores of r heads [r·s·s] float32.
        """
        b, s = ids.shape
        parts = self.parts
        x = parts.embed(self.reshape(ids, (-1,)))  # [t, d]
        tables = parts.rotary(self.tile(ops.arange(0, s, dtype=mstype.int32), (b,)))
        plan = parts.planner(ids)
        kept: tuple[Tensor, ...] = ()
        for layer in parts.layers:
            q, k, v = layer.project(x)
            q = parts.rotary.rotate(q, tables[0], tables[1])
            k = parts.rotary.rotate(k, tables[2], tables[3])
            q = self._split(q, b, self.num_heads)
            k, v = self._split(k, b, self.num_kv_heads), self._split(v, b, self.num_kv_heads)
            kept += (k, v)
            x, h = layer.attended(x, self._attend(q, k, v, mask, b))
            change = layer.layer.feed_forward(self.reshape(h, (b, s, -1)), plan)
            if self.has_balance:
                change = change[0]
            x = layer.layer.add_residual(x, self.reshape(change, x.shape))
        last = self.gather(x, ops.arange(0, b * s, s, dtype=mstype.int32) + lengths - 1, 0)  # [t, d] -> [b, d]
        return self.transpose(parts.logits(last), (1, 0)), kept

    def _split(self, x: Tensor, b: int, heads: int) -> Tensor:
        """Returns x [t, heads·p] as [b·n_kv, r·s, p], where r is 1 for keys and values."""
        return self.reshape(self.heads.first(x, heads, b), (b * self.num_kv_heads, -1, self.head_dim))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, b: int) -> Tensor:
        """Returns the attention's output [t, n·p]; q and k are already divided by ⁴√p."""
        rows, s, _ = k.shape
        scores = self.cast(self.scores(q, k), mstype.float32)  # [b·n_kv, r·s, s]
        scores = self.add_mask(self.reshape(scores, (rows, -1)), mask)
        probabilities = self.cast(self.softmax(self.reshape(scores, (-1, s))), v.dtype)  # [b·n·s, s]
        out = self.values(self.reshape(probabilities, (rows, -1, s)), v)  # [b·n_kv, r·s, p]
        return self.heads.last(out, self.num_heads, b)
