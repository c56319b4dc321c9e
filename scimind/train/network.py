"""A model built as a configuration says, through MindFormers, with weights that were checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import mindspore as ms
import numpy as np
from mindformers import MindFormerConfig, build_context
from mindformers.core.parallel_config import build_parallel_config
from mindformers.models import build_network
from mindformers.tools.register.template import ConfigTemplate

from scimind.checkpoint.description import (
    check_description,
    complete_from_tokenizer,
    describe_model,
    routing_differences,
)
from scimind.checkpoint.finding import find_checkpoint
from scimind.checkpoint.weights import is_weight, load_weights
from scimind.errors import ConfigError
from scimind.runtime.console import Console
from scimind.runtime.graph_cache import graph_key
from scimind.train.settings import mindformers_tree, read_settings

# What a graph of prediction does not depend on: where prompts are and answers go, and how weights are drawn.
_CHANGES_NO_GRAPH = ("input_data", "save_file", "seed")


def configure(tree: dict[str, Any]) -> Any:
    """Returns MindFormers' configuration with its defaults filled in, as it does for a YAML file.

    Args:
        tree: What `mindformers_tree` gives; the defaults are filled in in place.

    Raises:
        ConfigError: MindFormers knows a section's key not.
    """
    try:
        ConfigTemplate.apply_template(tree)
    except KeyError as error:
        raise ConfigError(f"MindFormers refuses the configuration: {error.args[0]}") from error
    config = MindFormerConfig(**tree)
    build_parallel_config(config)
    return config


def start(tree: dict[str, Any], seed: int) -> Any:
    """Sets device, mode, workers and seeds up, and returns MindFormers' configuration.

    MindFormers builds its context once in a process, so that a second run keeps the first one's device.

    Args:
        tree: What `mindformers_tree` gives; gets `device_num` and `local_rank`.
        seed: Seed of weights, data order and dropout.
    """
    config = configure(tree)
    context = build_context(MindFormerConfig(**tree))
    tree["device_num"], tree["local_rank"] = context.device_num, context.rank_id
    ms.set_context(mode=tree["context"]["mode"])
    ms.set_seed(seed)
    np.random.seed(seed)
    return config


def build_model(
    config: Any,
    load_checkpoint: str | None,
    description: Mapping[str, Any],
    console: Console | None = None,
    *,
    is_training: bool = False,
    new_gates: list[str] | None = None,
) -> ms.nn.Cell:
    """Returns a network with its weights, random ones or a checkpoint's.

    Args:
        config: MindFormers' configuration.
        load_checkpoint: What `find_checkpoint` takes; None leaves the weights random.
        description: What `describe_model` says of the model.
        console: Is told what was built.
        is_training: Lets the routing differ from the checkpoint's, which a training can mend and nothing else can.
        new_gates: Lets the checkpoint lack the gates of router `learned`, and gets the names of those that it lacks.

    Raises:
        CheckpointError: The weights are not this model's.
    """
    kind = config.model.arch.type
    if kind.startswith("SciMind"):
        import scimind.model.causal_lm  # noqa: F401  # registers the model with MindFormers
    checkpoint = find_checkpoint(load_checkpoint) if load_checkpoint else None
    changes = [] if checkpoint is None else routing_differences(checkpoint, description)
    if checkpoint is not None:
        check_description(checkpoint, description, [] if is_training else changes)
    network = build_network(
        config.model, default_args={"parallel_config": config.parallel_config, "moe_config": config.moe_config}
    )
    weights = "random weights"
    if checkpoint is not None:
        lacking = load_weights(network, checkpoint, may_lack_gates=new_gates is not None)
        if new_gates is not None:
            new_gates.extend(lacking)
        weights = f"weights of {checkpoint.weights}"
    if console is not None:
        size = sum(math.prod(item.shape) for item in network.get_parameters() if is_weight(item.name))
        console.print(f"model: {kind}, {size:,} parameters, {weights}")
        for change in changes:
            console.print(f"note: the checkpoint's {change}")
    return network


def load_model(
    config: Mapping[str, Any], *, use_past: bool = False, batch_size: int = 1, console: Console | None = None
) -> ms.nn.Cell:
    """Returns a configuration's model, ready to predict.

    Args:
        config: A run's configuration; `load_checkpoint` names the weights.
        use_past: Whether keys and values are kept from step to step.
        batch_size: Rows of a batch.
        console: Is told what was built.

    Raises:
        SciMindError: A mistake in the configuration, or weights that are not this model's.
    """
    settings = read_settings(config, is_training=False, needs_data=False)
    fingerprint = complete_from_tokenizer(settings.tree)
    tree = mindformers_tree(settings)
    model_config = tree["model"]["model_config"]
    # A place in PagedAttention's blocks for each row; blocks_of_a_row's rule, with MindFormers' default size.
    blocks = batch_size * -(-int(model_config["seq_length"]) // int(model_config.get("block_size") or 16))
    model_config.update(use_past=use_past, batch_size=batch_size, num_blocks=blocks)
    # Before `start`, which adds objects to the tree.
    key = graph_key({name: value for name, value in tree.items() if name not in _CHANGES_NO_GRAPH})
    network = build_model(
        start(tree, settings.seed), settings.load_checkpoint, describe_model(settings.tree, fingerprint), console
    )
    network.graph_key = key
    network.set_train(False)
    return network
