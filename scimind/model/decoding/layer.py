"""The two ends of a decoder layer: the operators before and after the attention."""

from __future__ import annotations

from mindspore import Tensor, nn

from scimind.model.decoding.products import RowsProduct


class DecodingLayer(nn.Cell):
    """A decoder layer of the model, for tokens in rows; the caller computes the attention in between.

    Args:
        layer: The model's layer; its parameters are shared.
    """

    def __init__(self, layer: nn.Cell) -> None:
        super().__init__(auto_prefix=False)
        self.layer = layer
        self.product = RowsProduct()

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns queries [t, n·p], keys and values [t, n_kv·p] for x [t, d], without positions."""
        h = self.layer.attention_norm(x)
        weights, product = self.layer.attention, self.product
        return product.linear(h, weights.wq), product.linear(h, weights.wk), product.linear(h, weights.wv)

    def project_by(self, x: Tensor, weight: Tensor) -> Tensor:
        """Returns the output of `project` concatenated [t, (n + 2 · n_kv)·p], using `StepWeights.projections`."""
        return self.product.rows(self.layer.attention_norm(x), weight)

    def attended(self, x: Tensor, attention: Tensor) -> tuple[Tensor, Tensor]:
        """Returns x [t, d] with the attention's output [t, n·p] added, and the feed-forward's input [t, d]."""
        x = self.layer.add_residual(x, self.product.linear(attention, self.layer.attention.wo))
        return x, self.layer.ffn_norm(x)
