"""The routing of a converted checkpoint, and what an export of it loses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.source import SourceCheckpoint
from scimind.checkpoint.partition import read_description
from scimind.config.routing import RoutingSettings
from scimind.errors import CheckpointError, SciMindError
from scimind.modality import MODALITY_NAMES

DEFAULT_EXPERTS = 16
_SETTINGS = tuple(name for name in RoutingSettings.__dataclass_fields__ if name != "modality_ranges")
# The settings that decide how much of the model a token uses.
_DECIDING = ("router", "expert_sets", "experts_per_token", "shared_experts")
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
    """Returns the result's routing: from flags, a configuration or the checkpoint, in that order.

    If none of them says which experts a token uses, every token uses every expert, which changes no output.

    Raises:
        SciMindError: A flag belongs to another router, or the experts do not divide the neurons.
    """
    before = input_routing(source)
    chosen: dict[str, Any] = {} if before is None else {name: before.to_dict()[name] for name in _SETTINGS}
    chosen |= {key: settings[key] for key in _SETTINGS if settings.get(key) is not None}
    flags = {key: value for key, value in (options.routing or {}).items() if value is not None}
    if options.released_routing:
        flags["shared_experts"] = RELEASED_SHARED
    chosen |= flags
    is_chosen = any(key in chosen for key in _DECIDING)
    if "num_experts" not in chosen:
        chosen["num_experts"] = _number_of_experts(source, options)
    if not is_chosen:
        chosen["expert_sets"] = _every_expert(chosen["num_experts"])
    routing = RoutingSettings.create(
        **chosen,
        modality_ranges=source.description.get("modality_ranges") or {},
        vocab_size=source.sizes.vocab_size,
        intermediate_size=source.sizes.intermediate_size,
    )
    _check_flags(flags, routing)
    return routing


def input_routing(source: SourceCheckpoint) -> RoutingSettings | None:
    """Returns the routing with which the input answers; None if every token uses every expert, as in any Llama."""
    stated: Mapping[str, Any] = ORIGINAL_ROUTING if source.kind == "scimind-v0" else {}
    stated = source.description.get("routing") or stated
    if not stated:
        return None
    ranges = source.description.get("modality_ranges") or {}
    routing = RoutingSettings.create(
        **{key: value for key, value in stated.items() if key in _SETTINGS}, modality_ranges=ranges
    )
    return None if all(uses_all(routing, modality) for modality in MODALITY_NAMES) else routing


def dense_routing(num_experts: int, ranges: Mapping[str, Any]) -> RoutingSettings:
    """Returns the routing in which every token uses every expert."""
    sets = _every_expert(num_experts)
    return RoutingSettings.create(num_experts=num_experts, expert_sets=sets, modality_ranges=ranges)


def routing_note(
    before: RoutingSettings | None, routing: RoutingSettings, neurons: int, *, is_measured: bool = False
) -> str:
    """Returns what the result's routing changes, with each modality's share of the neurons if something is given up.

    Args:
        before: What `input_routing` returns.
        routing: The result's.
        neurons: h.
        is_measured: Whether the loss before and after is measured.
    """
    every = routing.num_experts
    if not changes_answers(before, routing):
        if before is not None:
            return f"routing: router {routing.router}, as in the input"
        text = f"routing: every token uses all {every} experts, so that the model answers as the input does"
        if neurons % DEFAULT_EXPERTS == 0 or every >= DEFAULT_EXPERTS:
            return text
        return (
            f"{text} ({every} is the largest number up to {DEFAULT_EXPERTS} that divides a layer's {neurons} neurons)"
        )
    shares = ", ".join(
        f"{modality} {routing.active_experts(modality)} of {every} experts "
        f"({routing.active_experts(modality) / every:.0%} of the neurons)"
        for modality in MODALITY_NAMES
        if modality == "text" or routing.modality_ranges.get(modality)
    )
    advice = "" if is_measured else "; --data FILE measures the loss before and after"
    return f"routing: router {routing.router} changes the model's answers: {shares}{advice}"


def changes_answers(before: RoutingSettings | None, routing: RoutingSettings) -> bool:
    """Whether some token uses other experts than in the input; arguments as for `routing_note`."""
    used = [m for m in MODALITY_NAMES if m == "text" or routing.modality_ranges.get(m)]
    if before is None:
        return not all(uses_all(routing, modality) for modality in used)
    one, other = before.to_dict(), routing.to_dict()
    return any(one[key] != other[key] for key in (*_DECIDING, "num_experts", "score"))


def _number_of_experts(source: SourceCheckpoint, options: ConvertOptions) -> int:
    """Returns the number of experts if nothing gives it: the partition's, the input's, or at most 16 that divide h."""
    stated = read_description(options.partition).get("num_experts") if options.partition is not None else None
    stated = stated or (source.description.get("routing") or {}).get("num_experts")
    neurons = source.sizes.intermediate_size
    return int(stated or max(count for count in range(1, DEFAULT_EXPERTS + 1) if neurons % count == 0))


def _every_expert(num_experts: int) -> dict[str, list[int]]:
    return {modality: list(range(num_experts)) for modality in MODALITY_NAMES}


def _check_flags(flags: Mapping[str, Any], routing: RoutingSettings) -> None:
    """Raises an error if a flag has no effect with the router."""
    for key in ("expert_sets", "experts_per_token", "shared_experts"):
        if key in flags and (key == "expert_sets") != (routing.router == "modality"):
            flag = "released-routing" if flags[key] is RELEASED_SHARED else key.replace("_", "-")
            wanted = "modality" if key == "expert_sets" else "activation or learned"
            raise SciMindError(f"--{flag} has no effect with router {routing.router}; add --router {wanted}")


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
