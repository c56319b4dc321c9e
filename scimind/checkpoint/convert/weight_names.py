"""The names of Llama's weights in Hugging Face and in MindFormers, and the shapes that they must have.

Both store queries and keys in the order in which rotary embeddings rotate the first half of a head against the second,
so that conversion permutes no weights.
"""

from __future__ import annotations

import re

from scimind.checkpoint.convert.sizes import ModelSizes

_OUTSIDE = {
    "model.embed_tokens.weight": "model.tok_embeddings.embedding_weight",
    "model.norm.weight": "model.norm_out.weight",
    "lm_head.weight": "lm_head.weight",
}
_INSIDE = {
    "input_layernorm.weight": "attention_norm.weight",
    "self_attn.q_proj.weight": "attention.wq.weight",
    "self_attn.k_proj.weight": "attention.wk.weight",
    "self_attn.v_proj.weight": "attention.wv.weight",
    "self_attn.o_proj.weight": "attention.wo.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "feed_forward.w1.weight",
    "mlp.up_proj.weight": "feed_forward.w3.weight",
    "mlp.down_proj.weight": "feed_forward.w2.weight",
}
EMBEDDING, HEAD = _OUTSIDE["model.embed_tokens.weight"], "lm_head.weight"
# Tables that older versions of transformers stored and that are computed from rope_theta.
COMPUTED = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")


def hugging_face_names(num_layers: int) -> dict[str, str]:
    """Returns our name for each Hugging Face name, in the order of the model's layers."""
    layers = {
        f"model.layers.{layer}.{theirs}": f"model.layers.{layer}.{ours}"
        for layer in range(num_layers)
        for theirs, ours in _INSIDE.items()
    }
    first, *rest = _OUTSIDE.items()
    return dict([first, *layers.items(), *rest])


def expected_shapes(sizes: ModelSizes) -> dict[str, tuple[int, ...]]:
    """Returns the required shape of each weight by our names, in the order of the model's layers."""
    d, h, v = sizes.hidden_size, sizes.intermediate_size, sizes.vocab_size
    keys = sizes.n_kv_heads * (d // sizes.num_heads)
    parts: dict[str, tuple[int, ...]] = {"wq": (d, d), "wk": (keys, d), "wv": (keys, d), "wo": (d, d)}
    parts |= {"w1": (h, d), "w3": (h, d), "w2": (d, h)}
    shapes: dict[str, tuple[int, ...]] = {}
    for name in hugging_face_names(sizes.num_layers).values():
        if name in (EMBEDDING, HEAD):
            shapes[name] = (v, d)
        else:
            shapes[name] = parts.get(name.split(".")[-2], (d,))
    if sizes.tie_word_embeddings:
        del shapes[HEAD]
    return shapes
