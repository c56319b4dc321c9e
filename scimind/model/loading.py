"""Building a model from a configuration through MindFormers, with checked weights.

Every model is built here, whether it is to be trained, to answer prompts, to be scored or to be measured.
"""

from __future__ import annotations

import copy
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
from scimind.config import facts
from scimind.config.mindformers import model_tree
from scimind.errors import ConfigError
from scimind.model import causal_lm  # noqa: F401  # registers the model with MindFormers
from scimind.runtime.console import Console
from scimind.runtime.garbage import spare_existing_objects
from scimind.runtime.graph_cache import graph_key
from scimind.runtime.run_folder import worker


def configure(tree: dict[str, Any]) -> Any:
    """Returns MindFormers' configuration with its defaults filled in, as it does for a YAML file.

    Args:
        tree: What `model_tree` or a training's `trainer_tree` returns; the defaults are filled in in place.

    Raises:
        ConfigError: MindFormers does not know a key of a section.
    """
    try:
        ConfigTemplate.apply_template(tree)
    except KeyError as error:
        raise ConfigError(f"MindFormers rejects the configuration: {error.args[0]}") from error
    config = MindFormerConfig(**tree)
    build_parallel_config(config)
    return config


def start(tree: dict[str, Any], seed: int) -> Any:
    """Sets up device, mode, workers and seeds, and returns MindFormers' configuration.

    MindFormers builds its context once per process, so a second run keeps the device of the first.

    Args:
        tree: What `model_tree` or a training's `trainer_tree` returns; `device_num` and `local_rank` are added.
        seed: Seed of weights, data order and dropout.
    """
    spare_existing_objects()
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
    """Returns a network with random weights or those of a checkpoint.

    Args:
        config: MindFormers' configuration.
        load_checkpoint: What `find_checkpoint` takes; None leaves the weights random.
        description: What `describe_model` returns for the model.
        console: Reports what was built.
        is_training: Whether the routing may differ from the checkpoint's, which only a training can adapt to.
        new_gates: If given, the checkpoint may lack gates of router `learned`; their names are added to it.

    Raises:
        CheckpointError: The weights do not belong to this model.
    """
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
        console.print(f"model: {config.model.arch.type}, {size:,} parameters, {weights}")
        for change in changes:
            console.print(f"note: the checkpoint's {change}")
    return network


def load_model(
    config: Mapping[str, Any], *, use_past: bool = False, batch_size: int = 1, console: Console | None = None
) -> ms.nn.Cell:
    """Returns a configuration's model, ready for prediction.

    Args:
        config: A checked configuration; `load_checkpoint` names the weights.
        use_past: Whether keys and values are cached between steps.
        batch_size: Rows of a batch.
        console: Reports what was built.

    Raises:
        SciMindError: The configuration does not fit the tokenizer or the number of workers, or the weights do not
            belong to this model.
    """
    fault = facts.worker_fault(config, worker()[1])
    if fault:
        raise ConfigError(fault)
    completed = copy.deepcopy(dict(config))
    fingerprint = complete_from_tokenizer(completed)
    tree = model_tree(completed, batch_size=batch_size, use_past=use_past)
    key = graph_key(tree)  # before `start`, which adds objects to the tree
    network = build_model(
        start(tree, int(config["seed"])),
        config.get("load_checkpoint") or None,
        describe_model(completed, fingerprint),
        console,
    )
    network.graph_key = key
    network.set_train(False)
    return network
