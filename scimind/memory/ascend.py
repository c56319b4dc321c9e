"""Memory of an Ascend device: MindFormers' operators, under the semi-automatic parallel mode or on one device.

The count follows MindFormers' Llama and MindSpore's parallel modes; it has not been measured on a device. Symbols are
those of scimind.model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimind.accounting import ModelShape, parameters
from scimind.config import RunConfig, facts
from scimind.memory.components import BYTES, MOMENTS, TRAINING, Memory
from scimind.memory.layout import Layout

# Bytes per logit in the loss, in addition to the logits themselves: float32 logits, their softmax, the one-hot labels
# and the gradient.
_LOSS = 16
_MASKED = 5  # vectors of h of a routed feed-forward: two products, the gate's activation, their product, the masked one


def memory_of_card(config: RunConfig) -> Memory:
    """Returns an estimate of the memory on the fullest device, one of the pipeline's fullest stage."""
    shape, layout = ModelShape.of(config.model_config), Layout.of(config)
    stages = range(len(layout.layers))
    if config.run_mode in TRAINING:
        return max((_training(config, shape, layout, stage) for stage in stages), key=lambda memory: memory.total)
    return max((_prediction(config, shape, layout, stage) for stage in stages), key=lambda memory: memory.total)


def stage_parameters(shape: ModelShape, layout: Layout, stage: int) -> int:
    """Returns the number of parameters on a stage's device, before they are sharded over the model's replicas."""
    parts, share = parameters(shape), layout.layers[stage] / shape.layers
    matrices = parts["attention"] + parts["feed-forward"] + parts["router"]
    number = int(matrices * share) // layout.model + int(2 * shape.layers * shape.hidden * share)
    rows = shape.vocabulary * shape.hidden // (layout.model if layout.splits_vocabulary else 1)
    last = len(layout.layers) - 1
    if stage == 0 or (stage == last and shape.tied):
        number += rows
    if stage == last:
        number += shape.hidden + (0 if shape.tied else rows)
    return number


def _training(config: RunConfig, shape: ModelShape, layout: Layout, stage: int) -> Memory:
    """Returns the memory of a training step on a stage."""
    model = config.model_config
    stored, computed = BYTES[model["param_init_type"]], BYTES[model["compute_dtype"]]
    number = stage_parameters(shape, layout, stage)
    copies = layout.data if layout.shards_optimizer else 1
    # Gathered or cast weights are kept until the backward pass, or, if they are made again, for two layers at a time.
    layer = int(number / max(1, layout.layers[stage]))
    weights = number * stored // copies
    if copies > 1:
        weights += min(2 * layer, number) * stored if layout.gathers_again else number * stored
    if stored != computed:
        weights += min(2 * layer, number) * computed if layout.recomputed[stage] else number * computed
    accumulates = layout.micro_batches > 1 and not layout.shards_accumulation
    return Memory(
        weights=weights,
        gradients=number * stored // (1 if accumulates else copies),
        optimizer=number * MOMENTS // copies,
        activations=_activations(config, shape, layout, stage),
        stage=stage,
    )


def _activations(config: RunConfig, shape: ModelShape, layout: Layout, stage: int) -> int:
    """Returns the bytes that a stage keeps for the backward pass, including the loss on the last stage.

    A stage keeps as many micro batches as there are stages from it to the last. With recomputation, each layer keeps
    its input, and only one layer at a time the rest.
    """
    model = config.model_config
    width = BYTES[model["compute_dtype"]]
    rows = config["runner_config"]["batch_size"]
    tokens = rows * shape.length // layout.context
    whole = tokens * _layer_bytes(shape, layout, model)
    entry = tokens * shape.hidden * width // (layout.model if layout.slices_kept else 1)
    again = layout.recomputed[stage]
    batches = min(len(layout.layers) - stage, layout.micro_batches)
    kept = batches * (again * entry + (layout.layers[stage] - again) * whole) + (whole if again else 0)
    mask = rows * shape.length**2 * (1 if model["use_flash_attention"] else width)
    if model["use_flash_attention"] and model["use_attn_mask_compression"]:
        mask = 2048**2
    loss = 0
    if stage == len(layout.layers) - 1:
        loss = tokens * shape.vocabulary * (width + _LOSS) // (layout.model if layout.splits_vocabulary else 1)
    return int(kept + mask + loss)


def _layer_bytes(shape: ModelShape, layout: Layout, model: Mapping[str, Any]) -> int:
    """Returns the bytes of a token's activations in one layer without recomputation.

    These are four vectors of d that devices share only with the sequence (residuals and the norms' outputs); queries,
    keys, values and attention's output; the neurons. Without flash attention, also each head's probabilities, in two
    formats.
    """
    width = BYTES[model["compute_dtype"]]
    shared = 4 * shape.hidden // (layout.model if layout.splits_sequence else 1)
    neurons = (_MASKED - (2 if layout.drops_products else 0)) * shape.neurons
    split = (2 * shape.hidden + 2 * shape.key_size + neurons) // layout.model
    scores = 0
    if not model["use_flash_attention"]:
        scores = shape.heads // layout.model * shape.length * (width + BYTES[model["softmax_compute_type"]])
    return width * (shared + split) + scores


def _prediction(config: RunConfig, shape: ModelShape, layout: Layout, stage: int) -> Memory:
    """Returns the memory of prediction on a stage: weights, the cache's blocks, and one layer of full prompts."""
    model = config.model_config
    width, rows = BYTES[model["compute_dtype"]], config.generation["batch_size"]
    weights = stage_parameters(shape, layout, stage) * BYTES[model["param_init_type"]]
    tokens = rows * facts.blocks_of_a_row(shape.length, model["block_size"]) * model["block_size"]
    cache = 2 * layout.layers[stage] * tokens * shape.key_size * width // layout.model if model["use_past"] else 0
    logits = rows * (1 if model["use_past"] else shape.length) * shape.vocabulary * (width + BYTES["float32"])
    return Memory(
        weights=weights,
        cache=cache,
        activations=rows * shape.length * _layer_bytes(shape, layout, model) + logits,
        stage=stage,
    )
