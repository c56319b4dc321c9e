"""The attention half of a decoder layer."""

from __future__ import annotations

from mindspore import Tensor, nn

from scimind.model.cpu.attention import Attention
from scimind.model.cpu.linear import Product
from scimind.model.cpu.norm import RootMeanSquareNorm


class AttentionBlock(nn.Cell):
    """x + attention(norm(x)) · Woᵀ, with the weights of MindFormers' layer.

    Args:
        hidden_size: d.
        num_heads: n.
        num_kv_heads: n_kv.
        eps: ε of the norm.
    """

    def __init__(self, hidden_size: int, num_heads: int, num_kv_heads: int, eps: float) -> None:
        super().__init__()
        self.norm = RootMeanSquareNorm(hidden_size, eps)
        self.attention = Attention(num_heads, num_kv_heads, hidden_size // num_heads)
        self.product = Product(wide=False)

    def construct(
        self,
        x: Tensor,
        gain: Tensor,
        wq: Tensor,
        wk: Tensor,
        wv: Tensor,
        wo: Tensor,
        rotary: tuple[Tensor, ...],
        mask: Tensor,
    ) -> Tensor:
        """Returns the block's output [t, d].

        Args:
            x: Input [t, d].
            gain: The norm's weight [d].
            wq: [n·p, d], as `wo`.
            wk: [n_kv·p, d], as `wv`.
            wv: See above.
            wo: See above.
            rotary: What `RotaryTables` returns.
            mask: Added to the scores [b, 1, s, s].
        """
        h = self.norm(x, gain)[0]
        q, k, v = self.product(h, wq), self.product(h, wk), self.product(h, wv)
        out = self.attention(q, k, v, rotary[0], rotary[1], rotary[2], rotary[3], mask)[0]
        return x + self.product(out, wo)
