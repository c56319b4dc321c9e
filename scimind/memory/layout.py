"""How a run is spread over devices, as far as memory depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scimind.config import RunConfig


@dataclass(frozen=True)
class Layout:
    """How a run is spread.

    Args:
        data: Copies of the model.
        model: Devices that share each matrix.
        context: Devices that share each sequence.
        layers: Decoder layers of each stage of the pipeline.
        micro_batches: Parts of a batch that go through the pipeline one after the other.
        shards_optimizer: Whether the copies share moments and weights, which are gathered when they are needed.
        shards_accumulation: Whether they share the gradients that micro batches add up to as well.
        gathers_again: Whether gathered weights are dropped after the forward pass.
        splits_vocabulary: Whether embedding and output layer are shared like the other matrices.
        splits_sequence: Whether norms and residuals are shared by the devices that share matrices.
        slices_kept: Whether what recomputation keeps is shared by them.
        recomputed: Layers of each stage that are computed again in the backward pass.
        drops_products: Whether the other layers compute the gate's activation and its product again.
    """

    data: int
    model: int
    context: int
    layers: tuple[int, ...]
    micro_batches: int
    shards_optimizer: bool
    shards_accumulation: bool
    gathers_again: bool
    splits_vocabulary: bool
    splits_sequence: bool
    slices_kept: bool
    recomputed: tuple[int, ...]
    drops_products: bool

    @classmethod
    def of(cls, config: RunConfig) -> Layout:
        """Returns the layout that a configuration means."""
        splits = config.splits_tensors
        spread: dict[str, Any] = config["parallel_config"] if splits else {}
        again: dict[str, Any] = config.get("recompute_config") or {}
        model, stages = spread.get("model_parallel", 1), spread.get("pipeline_stage", 1)
        layers = _layers(config.model_config["num_layers"], stages, config.model_config.get("offset", 0))
        sequence = bool(spread.get("use_seq_parallel", False)) and model > 1
        # MindFormers splits the vocabulary wherever there is a pipeline.
        whole = spread.get("vocab_emb_dp", True) and stages == 1
        return cls(
            data=spread.get("data_parallel", 1),
            model=model,
            context=spread.get("context_parallel", 1),
            layers=layers,
            micro_batches=spread.get("micro_batch_num", 1) if stages > 1 else 1,
            shards_optimizer=splits and bool(config.at("parallel.enable_parallel_optimizer")),
            shards_accumulation=bool(config.at("parallel.parallel_optimizer_config.gradient_accumulation_shard")),
            gathers_again=bool(again.get("parallel_optimizer_comm_recompute")),
            splits_vocabulary=not whole and config.model_config["vocab_size"] % model == 0,
            splits_sequence=sequence,
            slices_kept=sequence or bool(again.get("recompute_slice_activation")),
            recomputed=_chosen(again.get("recompute", False), layers),
            drops_products=again.get("select_recompute") is True,
        )


def _layers(total: int, stages: int, offset: int | Sequence[Any]) -> tuple[int, ...]:
    """Returns the layers of each stage; `offset` says by how many more than the others it has."""
    extra: list[Any] = list(offset) if isinstance(offset, list | tuple) else [offset] * stages
    if any(isinstance(item, list | tuple) for item in extra):  # of an interleaved pipeline: one list a round
        extra = [sum(items) for items in zip(*extra, strict=True)]
    if len(extra) != stages or stages == 1:
        extra = [0] * stages
    if sum(extra) != total % stages:  # MindFormers refuses this; the estimate has the layers somewhere
        extra = [total % stages, *[0] * (stages - 1)]
    return tuple(total // stages + more for more in extra)


def _chosen(recompute: bool | Sequence[Any], layers: tuple[int, ...]) -> tuple[int, ...]:
    """Returns how many layers of each stage are recomputed: all, none, or as many as a list says."""
    if isinstance(recompute, bool):
        return layers if recompute else (0,) * len(layers)
    counts = [sum(item) if isinstance(item, list | tuple) else int(item) for item in recompute]
    counts += [0] * (len(layers) - len(counts))
    return tuple(min(count, number) for count, number in zip(counts, layers, strict=False))
