"""The routing of a converted checkpoint, and what an export of it loses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.source import SourceCheckpoint
from scimind.checkpoint.partition import read_description
from scimind.config.routing import RoutingSettings
from scimind.errors import CheckpointError
from scimind.modality import MODALITY_NAMES

# The original's: a text token uses the 14 most active of 16 experts, any other token 2.
ORIGINAL_ROUTING = {
    "num_experts": 16,
    "router": "activation",
    "score": "sum",
    "experts_per_token": {"text": 14, "smiles": 2, "nucleotide": 2, "protein": 2},
}
# Added by mistake in its released code: the first experts of an all-zero score.
_REST = ["0..13"]
RELEASED_SHARED = {"text": [10, 11], "smiles": _REST, "nucleotide": _REST, "protein": _REST}


def replace_ranges(routing: RoutingSettings, ranges: Mapping[str, Any], vocab_size: int) -> RoutingSettings:
    """Returns the routing with the modality ranges replaced by a tokenizer's."""
    return RoutingSettings.create(**{**routing.to_dict(), "modality_ranges": ranges}, vocab_size=vocab_size)


def routing_of(source: SourceCheckpoint, options: ConvertOptions, settings: Mapping[str, Any]) -> RoutingSettings:
    """Returns the result's routing: from flags, a configuration, the checkpoint or the defaults, in that order."""
    names = [name for name in RoutingSettings.__dataclass_fields__ if name != "modality_ranges"]
    chosen: dict[str, Any] = dict(ORIGINAL_ROUTING) if source.kind == "scimind-v0" else {}
    chosen |= {key: value for key, value in (source.description.get("routing") or {}).items() if key in names}
    chosen |= {key: settings[key] for key in names if settings.get(key) is not None}
    chosen |= {key: value for key, value in (options.routing or {}).items() if value is not None}
    if options.released_routing:
        chosen["shared_experts"] = RELEASED_SHARED
    if options.partition is not None and "num_experts" not in chosen:
        stated = read_description(options.partition).get("num_experts")
        if stated is not None:
            chosen["num_experts"] = stated
    ranges = source.description.get("modality_ranges") or {}
    return RoutingSettings.create(
        **chosen,
        modality_ranges=ranges,
        vocab_size=source.sizes.vocab_size,
        intermediate_size=source.sizes.intermediate_size,
    )


def export_losses(source: SourceCheckpoint, routing: RoutingSettings, options: ConvertOptions) -> list[str]:
    """Returns what is lost in plain transformers, where every token uses every neuron.

    Raises:
        CheckpointError: Something is lost and `allow_loss` is not set.
    """
    if not source.description.get("routing"):
        return []
    every = routing.num_experts
    lost = [
        f"{modality} {routing.active_experts(modality)} of {every} experts"
        for modality in MODALITY_NAMES
        if not uses_all(routing, modality) and (modality == "text" or routing.modality_ranges.get(modality))
    ]
    parts = [f"its routing (router {routing.router}; {', '.join(lost)})"] if lost else []
    parts += [f"its gates ({len(source.gates)} weights of a learned router)"] if source.gates else []
    if not parts:
        return []
    text = f"plain transformers uses every expert for every token: the export loses {' and '.join(parts)}"
    if not options.allow_loss:
        raise CheckpointError(
            f"{source.folder}: {text}, so its outputs will differ; add --allow-loss if that is intended, for example "
            "to finetune it as a dense model"
        )
    return [text]


def uses_all(routing: RoutingSettings, modality: str) -> bool:
    """Whether a modality's tokens use every expert, which makes their feed-forward dense."""
    every = routing.num_experts
    if routing.router == "modality":
        return len(routing.expert_sets[modality]) == every
    return routing.experts_per_token[modality] == every or len(routing.shared_experts[modality]) == every
