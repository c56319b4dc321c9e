"""The order of neurons that a conversion writes, and the way back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.convert.neurons import feed_forward_fingerprint, inverse, read_order
from scimind.checkpoint.convert.options import ConvertOptions
from scimind.checkpoint.convert.source import Source
from scimind.config.routing import RoutingSettings
from scimind.errors import CheckpointError


def neuron_orders(
    source: Source, options: ConvertOptions, routing: RoutingSettings
) -> tuple[list[NDArray[np.int64]] | None, list[str], str | None]:
    """Returns each layer's permutation, None for none; notes; and the name of the order that results."""
    from scimind.checkpoint.partition import neuron_order, order_hash, read_description, read_partition

    sizes = source.sizes
    stated = source.description.get("neuron_order")
    before = read_order(source.folder, sizes.num_layers, sizes.intermediate_size, stated)
    if options.to == "hf" and options.partition is None:
        if before is not None:
            return [inverse(order) for order in before], ["neurons go back to the order that they had at first"], None
        note = ["neurons stay in the experts' order, which changes no output"] if stated else []
        return None, note, stated
    folder = options.partition
    if folder is None and source.kind == "scimind-v0":
        folder = source.folder
    if folder is None:
        return None, [], stated
    if not (folder / "patterns_0.npy").is_file() and source.kind == "scimind-v0":
        raise CheckpointError(
            f"{folder}: holds no patterns_0.npy, and an original checkpoint is of no use without its experts; "
            "give --partition, the folder with patterns_0.npy …"
        )
    if source.gates:
        raise CheckpointError(
            f"{source.folder}: has a learned router, whose experts a new partition would replace; convert the weights "
            "that it was tuned from"
        )
    labels = read_partition(folder, sizes.num_layers, sizes.intermediate_size, routing.num_experts)
    stated_weights = read_description(folder).get("fingerprint")
    if (
        stated_weights
        and not options.changed_weights
        and stated_weights != feed_forward_fingerprint(source.tensors, source.sizes.num_layers)
    ):
        raise CheckpointError(
            f"{folder}: was made from other weights than {source.folder}'s; build it again, or add --changed-weights "
            "if it is meant for these too"
        )
    orders = [neuron_order(of_layer) for of_layer in labels]
    composed = orders if before is None else [old[new] for old, new in zip(before, orders, strict=True)]
    return orders, [f"neurons are put into the experts' order of {folder}"], order_hash(composed)


def kept_order(
    orders: list[NDArray[np.int64]] | None, source: Source, options: ConvertOptions
) -> NDArray[np.int32] | None:
    """Returns where each neuron stood at first [layers, h], to be kept beside the weights; None where that is here."""
    if options.to == "hf":
        return None
    sizes = source.sizes
    stated = source.description.get("neuron_order")
    before = read_order(source.folder, sizes.num_layers, sizes.intermediate_size, stated)
    if orders is None:
        return None if before is None else np.stack(before).astype(np.int32)
    if before is None:
        # What went before is not known where a partition was applied already.
        return None if stated else np.stack(orders).astype(np.int32)
    return np.stack([old[new] for old, new in zip(before, orders, strict=True)]).astype(np.int32)
