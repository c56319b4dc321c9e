"""The model's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from scimind.config.routing import KERNELS, RoutingSettings
from scimind.errors import ConfigError
from scimind.modality import ModalityRanges
from scimind.model._mindformers import LlamaConfig, MindFormerModuleType, MindFormerRegister

# Features of MindFormers' Llama that the routed model lacks: setting one is an error and not silently ignored.
_UNSUPPORTED = {
    "qkv_concat": False,
    "fine_grain_interleave": 1,
    "chunk_prefill": False,
    "rmsnorm_compute_2d": False,
    "use_eod_attn_mask_compression": False,
    "use_ring_attention": False,
}


@MindFormerRegister.register(MindFormerModuleType.CONFIG)
class SciMindConfig(LlamaConfig):
    """MindFormers' LlamaConfig, extended by the routing of the feed-forward layers.

    Args:
        num_experts: e; must divide the feed-forward's `intermediate_size`.
        router: "modality", "activation" or "learned".
        dispatch: "auto", "masked" or "grouped".
        score: "sum", "abs" or "square".
        experts_per_token: k for each modality.
        shared_experts: Experts that a modality always uses.
        expert_sets: Experts of each modality for router "modality".
        modality_ranges: Ranges of token ids of each modality, `TokenCodec.modality_ranges`.
        balance_weight: Weight of the load balance in the training loss of router "learned".
        kernels: "auto", "mindformers" or "cpu": the kernels of attention, norms, feed-forward and loss. "auto" selects
            `scimind.model.cpu` on a CPU in float32, and MindFormers' kernels elsewhere.
        packed: Whether a row may hold several records, each beginning with BOS, which attention keeps separate. For
            rows of one record the results are the same either way.
        **kwargs: LlamaConfig's arguments.

    Raises:
        ConfigError: Settings are invalid; the error lists all faults.
    """

    model_type = "scimind"

    def __init__(
        self,
        *,
        num_experts: int = 16,
        router: str = "modality",
        dispatch: str = "auto",
        score: str = "sum",
        experts_per_token: Mapping[str, int] | None = None,
        shared_experts: Mapping[str, Sequence[Any]] | None = None,
        expert_sets: Mapping[str, Sequence[Any]] | None = None,
        modality_ranges: ModalityRanges | None = None,
        balance_weight: float = 0.0,
        kernels: str = "auto",
        packed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        faults = [
            f"{name} ({kwargs[name]!r}) is not supported with routed experts; omit it"
            for name, default in _UNSUPPORTED.items()
            if kwargs.get(name, default) not in (default, None)
        ]
        if kernels not in KERNELS:
            faults.append(f"kernels ({kernels!r}) must be one of {', '.join(KERNELS)}")
        if faults:
            raise ConfigError(faults)
        self.kernels = kernels
        if balance_weight and self.parallel_config.pipeline_stage > 1:
            raise ConfigError(f"balance_weight ({balance_weight}) does not work with a pipeline; set it to 0")
        if balance_weight and self.calculate_per_token_loss:
            raise ConfigError(
                f"balance_weight ({balance_weight}) does not work with calculate_per_token_loss; set one of them to 0"
            )
        if packed and self.use_attn_mask_compression:
            raise ConfigError("packed (True) does not work with use_attn_mask_compression; set one of them to False")
        self.packed = packed
        self.intermediate_size: int = self.intermediate_size or _llama_neurons(
            self.hidden_size, self.ffn_dim_multiplier, self.multiple_of
        )
        routing = RoutingSettings.create(
            num_experts=num_experts,
            router=router,
            dispatch=dispatch,
            score=score,
            experts_per_token=experts_per_token,
            shared_experts=shared_experts,
            expert_sets=expert_sets,
            modality_ranges=modality_ranges,
            balance_weight=balance_weight,
            vocab_size=self.vocab_size,
            intermediate_size=self.intermediate_size,
        )
        # Plain attributes, since MindFormers writes a configuration to JSON attribute by attribute.
        for name, value in routing.to_dict().items():
            setattr(self, name, value)

    @property
    def real_vocab_size(self) -> int:
        """The number of tokens that exist, added ones last; the embedding's remaining rows are padding."""
        ends = [stop for spans in self.modality_ranges.values() for _, stop in spans]
        return max(ends, default=self.vocab_size)

    @property
    def routing(self) -> RoutingSettings:
        """The validated routing settings."""
        return RoutingSettings.create(**{f.name: getattr(self, f.name) for f in fields(RoutingSettings)})


def _llama_neurons(hidden_size: int, multiplier: float | None, multiple_of: int) -> int:
    """Returns h as Llama derives it by default: 2/3 of 4·d, rounded up."""
    neurons = 4 * hidden_size
    if multiplier is not None:
        neurons = int((multiplier + 0.01) * neurons)
    return -(-int(2 * neurons / 3) // multiple_of) * multiple_of
