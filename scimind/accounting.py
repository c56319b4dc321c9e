"""Parameters and work of a model, computed from its settings alone; `scimind.memory` has its memory.

Symbols are those of scimind.model: d hidden, h neurons of the feed-forward, E experts, v vocabulary. FLOPs count a
multiply and an add as two.
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
    """Sizes of a model.

    Args:
        layers: Decoder layers.
        hidden: d.
        heads: Attention heads.
        groups: Heads of keys and values.
        neurons: h.
        experts: E.
        vocabulary: v, padding rows included.
        length: Longest sequence in tokens.
        tied: Whether the output layer uses the embedding's weights.
        qkv_bias: Whether queries, keys and values have a bias.
        output_bias: Whether attention's output has a bias.
        router: activation, modality or learned.
        active: Experts that a token of each modality uses; where shared and chosen experts may coincide, the most.
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
        """Returns the sizes that a checked section model.model_config means."""
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
        """Numbers of one token's keys in one layer; its values have as many."""
        return self.hidden // self.heads * self.groups

    def active_neurons(self, modality: str) -> int:
        """Returns the feed-forward neurons of one layer that a token of the modality uses."""
        return self.neurons // self.experts * self.active[modality]


def parameters(shape: ModelShape) -> dict[str, int]:
    """Returns the number of parameters of each part of the whole model."""
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
    """Returns the parameters that a token of the modality uses; of the embedding, its own row."""
    parts = parameters(shape)
    used = shape.layers * 3 * shape.hidden * shape.active_neurons(modality)
    output = shape.vocabulary * shape.hidden
    return used + output + parts["attention"] + parts["router"] + parts["norms"] + shape.hidden


def feed_forward_flops(shape: ModelShape, modality: str | None = None) -> int:
    """Returns the FLOPs of one token's feed-forward layers, computing only what is used.

    The router `activation` scores experts by their neurons' outputs, so it saves the last of three products only.

    Args:
        shape: The model.
        modality: The token's; None for the dense layer, which is also what `dispatch: masked` computes.
    """
    used = shape.neurons if modality is None else shape.active_neurons(modality)
    first = shape.neurons if shape.router == "activation" else used
    flops = 2 * shape.hidden * (2 * first + used)
    if modality is not None and shape.router == "learned":
        flops += 2 * shape.hidden * shape.experts
    return shape.layers * flops


def token_flops(shape: ModelShape, modality: str | None = None) -> int:
    """Returns the FLOPs of one token forward, as the last of a full sequence; `modality` as in feed_forward_flops."""
    d = shape.hidden
    projections = 2 * (2 * d * d + 2 * d * shape.key_size)
    scores = 4 * shape.length * d
    output = 2 * shape.vocabulary * d
    return shape.layers * (projections + scores) + feed_forward_flops(shape, modality) + output
