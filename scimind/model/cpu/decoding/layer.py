"""A decoder layer's two ends: what comes before the attention and what comes after it."""

from __future__ import annotations

from mindspore import Tensor, nn

from scimind.model.cpu.decoding.rotary import Rotary


class DecodingLayer(nn.Cell):
    """A decoder layer of the model, for tokens in rows; whoever uses it attends in between.

    Args:
        layer: The model's layer; its parameters are shared.
        rotary: The positions, shared by all layers.
    """

    def __init__(self, layer: nn.Cell, rotary: Rotary) -> None:
        super().__init__(auto_prefix=False)
        self.layer = layer
        self.rotary = rotary

    def project(self, x: Tensor, tables: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Returns queries [t, n·p], keys and values [t, n_kv·p] of x [t, d]; `tables` is what `Rotary` gives."""
        h = self.layer.attention_norm(x)
        attention = self.layer.attention
        q = self.rotary.rotate(attention.wq(h), tables[0], tables[1])
        k = self.rotary.rotate(attention.wk(h), tables[2], tables[3])
        return q, k, attention.wv(h)

    def attended(self, x: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x [t, d] with the attention's output [t, n·p] added, and the feed-forward's input [t, d]."""
        x = self.layer.add_residual(x, self.layer.attention.wo(attention))
        return x, self.layer.ffn_norm(x)
