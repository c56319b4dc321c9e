"""The model's components that decoding uses."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.decoding.layer import DecodingLayer
from scimind.model.decoding.products import RowsProduct
from scimind.model.decoding.rotary import Rotary


class DecodingParts(nn.Cell):
    """What the networks for prompts and steps share: the model's parameters, positions, first and last operators.

    Args:
        model: A SciMindForCausalLM.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(auto_prefix=False)
        config, base = model.config, model.model
        self.graph_key: str | None = getattr(model, "graph_key", None)
        self.routing = config.routing
        self.dtype = config.compute_dtype
        self.vocab_size, self.real_vocab_size = config.vocab_size, config.real_vocab_size
        self.hidden_size, self.intermediate_size = config.hidden_size, base.layers[0].feed_forward.hidden_dim
        self.num_heads = config.num_heads
        self.num_kv_heads = config.n_kv_heads or config.num_heads
        self.head_dim = config.hidden_size // config.num_heads
        frequencies = base.freqs_mgr
        self.rotary = Rotary(
            frequencies.freqs_cos.asnumpy(),
            frequencies.freqs_sin.asnumpy(),
            self.num_heads,
            self.num_kv_heads,
            self.dtype,
        )
        self.layers = nn.CellList([DecodingLayer(layer) for layer in base.layers], auto_prefix=False)
        attention = base.layers[0].attention
        self.has_bias = attention.wq.has_bias or attention.wk.has_bias or attention.wv.has_bias
        self.planner = base.planner
        self.norm_out = base.norm_out
        self.embedding, self.head = base.tok_embeddings, model.lm_head
        self.gather = P.Gather()
        self.product = RowsProduct()
        self.cast = P.Cast()

    def embed(self, ids: Tensor) -> Tensor:
        """Returns embeddings [t, d] of ids [t]."""
        return self.cast(self.gather(self.embedding.embedding_weight, ids, 0), self.dtype)

    def logits(self, x: Tensor) -> Tensor:
        """Returns float32 logits [v, b] of the last layer's output x [b, d]."""
        weight = self.cast(self.head.weight, self.dtype)
        return self.cast(self.product.columns(self.norm_out(x), weight), mstype.float32)
