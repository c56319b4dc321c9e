"""How a run is distributed over devices, as far as memory depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scimind.config import RunConfig


@dataclass(frozen=True)
class Layout:
    """The distribution of a run over devices.

    Args:
        data: Replicas of the model.
        model: Devices that share each matrix.
        context: Devices that share each sequence.
        layers: Decoder layers of each pipeline stage.
        micro_batches: Parts of a batch that pass through the pipeline one after another.
        shards_optimizer: Whether moments and weights are sharded over the replicas and gathered when needed.
        shards_accumulation: Whether gradients accumulated over micro batches are sharded over the replicas too.
        gathers_again: Whether gathered weights are dropped after the forward pass and gathered again.
        splits_vocabulary: Whether embedding and output layer are split like the other matrices.
        splits_sequence: Whether norms and residuals are split over the devices that share matrices.
        slices_kept: Whether the inputs kept for recomputation are split over them.
        recomputed: Layers of each stage that are recomputed in the backward pass.
        drops_products: Whether the other layers recompute the gate's activation and its product.
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
        """Returns the layout that a configuration specifies."""
        splits = config.splits_tensors
        spread: dict[str, Any] = config["parallel_config"] if splits else {}
        again: dict[str, Any] = config.get("recompute_config") or {}
        model, stages = spread.get("model_parallel", 1), spread.get("pipeline_stage", 1)
        layers = _layers(config.model_config["num_layers"], stages, config.model_config.get("offset", 0))
        sequence = bool(spread.get("use_seq_parallel", False)) and model > 1
        # With a pipeline, MindFormers always splits the vocabulary.
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
    """Returns the number of layers of each stage; `offset` is how many more than the even share each one has."""
    extra: list[Any] = list(offset) if isinstance(offset, list | tuple) else [offset] * stages
    if any(isinstance(item, list | tuple) for item in extra):  # for an interleaved pipeline: one list per round
        extra = [sum(items) for items in zip(*extra, strict=True)]
    if len(extra) != stages or stages == 1:
        extra = [0] * stages
    if sum(extra) != total % stages:  # MindFormers rejects this; the estimate puts the layers somewhere
        extra = [total % stages, *[0] * (stages - 1)]
    return tuple(total // stages + more for more in extra)


def _chosen(recompute: bool | Sequence[Any], layers: tuple[int, ...]) -> tuple[int, ...]:
    """Returns how many layers of each stage are recomputed: all, none, or the numbers in a list."""
    if isinstance(recompute, bool):
        return layers if recompute else (0,) * len(layers)
    counts = [sum(item) if isinstance(item, list | tuple) else int(item) for item in recompute]
    counts += [0] * (len(layers) - len(counts))
    return tuple(min(count, number) for count, number in zip(counts, layers, strict=False))
