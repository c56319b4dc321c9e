"""Parameters and FLOPs of a model, computed from its settings alone; `scimind.memory` estimates its memory.

Symbols are those of scimind.model: d hidden, h neurons of the feed-forward layer, E experts, v vocabulary. A
multiplication and an addition count as two FLOPs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scimind.config.routing import RoutingSettings
from scimind.config.sections.model import ROUTING_FIELDS, intermediate_size
from scimind.modality import MODALITY_NAMES


@dataclass(frozen=True)
class ModelShape:
    """The sizes of a model.

    Args:
        layers: Number of decoder layers.
        hidden: d.
        heads: Number of attention heads.
        groups: Number of key and value heads.
        neurons: h.
        experts: E.
        vocabulary: v, including padding rows.
        length: Longest sequence in tokens.
        tied: Whether the output layer shares the weights of the embedding.
        qkv_bias: Whether queries, keys and values have a bias.
        output_bias: Whether the output of attention has a bias.
        router: activation, modality or learned.
        active: Number of experts that a token of each modality uses; the maximum if shared and chosen ones may overlap.
    """

    layers: int
    hidden: int
    heads: int
    groups: int
    neurons: int
    experts: int
    vocabulary: int
    length: int
    tied: bool
    qkv_bias: bool
    output_bias: bool
    router: str
    active: Mapping[str, int]

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> ModelShape:
        """Returns the sizes of a model from its checked section `model.model_config`."""
        routing = RoutingSettings.create(**{name: model[name] for name in ROUTING_FIELDS if name in model})
        return cls(
            layers=model["num_layers"],
            hidden=model["hidden_size"],
            heads=model["num_heads"],
            groups=model.get("n_kv_heads") or model["num_heads"],
            neurons=intermediate_size(model),
            experts=routing.num_experts,
            vocabulary=model["vocab_size"],
            length=model["seq_length"],
            tied=model["tie_word_embeddings"],
            qkv_bias=model["qkv_has_bias"],
            output_bias=model["attn_proj_has_bias"],
            router=routing.router,
            active={name: routing.active_experts(name) for name in MODALITY_NAMES},
        )

    @property
    def key_size(self) -> int:
        """Number of elements of one token's keys in one layer; its values have as many."""
        return self.hidden // self.heads * self.groups

    def active_neurons(self, modality: str) -> int:
        """Returns the number of feed-forward neurons that a token of the modality uses in one layer."""
        return self.neurons // self.experts * self.active[modality]


def parameters(shape: ModelShape) -> dict[str, int]:
    """Returns the number of parameters of each part of the model."""
    d, keys = shape.hidden, shape.key_size
    attention = 2 * d * d + 2 * d * keys
    attention += d + 2 * keys if shape.qkv_bias else 0
    attention += d if shape.output_bias else 0
    return {
        "embedding": shape.vocabulary * d,
        "attention": shape.layers * attention,
        "feed-forward": shape.layers * 3 * d * shape.neurons,
        "router": shape.layers * shape.experts * d if shape.router == "learned" else 0,
        "norms": shape.layers * 2 * d + d,
        "output": 0 if shape.tied else shape.vocabulary * d,
    }


def active_parameters(shape: ModelShape, modality: str) -> int:
    """Returns the number of parameters that a token of the modality uses; of the embedding only its row."""
    parts = parameters(shape)
    used = shape.layers * 3 * shape.hidden * shape.active_neurons(modality)
    output = shape.vocabulary * shape.hidden
    return used + output + parts["attention"] + parts["router"] + parts["norms"] + shape.hidden


def feed_forward_flops(shape: ModelShape, modality: str | None = None) -> int:
    """Returns the FLOPs of the feed-forward layers for one token, computing active experts only.

    Router `activation` scores experts by the outputs of their neurons, so it only saves the last of three products.

    Args:
        shape: The model.
        modality: Modality of the token; None means the dense layer, which `dispatch: masked` computes too.
    """
    used = shape.neurons if modality is None else shape.active_neurons(modality)
    first = shape.neurons if shape.router == "activation" else used
    flops = 2 * shape.hidden * (2 * first + used)
    if modality is not None and shape.router == "learned":
        flops += 2 * shape.hidden * shape.experts
    return shape.layers * flops


def token_flops(shape: ModelShape, modality: str | None = None) -> int:
    """Returns the forward FLOPs of the last token of a full sequence; `modality` as in `feed_forward_flops`."""
    d = shape.hidden
    projections = 2 * (2 * d * d + 2 * d * shape.key_size)
    scores = 4 * shape.length * d
    output = 2 * shape.vocabulary * d
    return shape.layers * (projections + scores) + feed_forward_flops(shape, modality) + output
