"""Building partitions: assigns every layer's neurons to experts by one of four methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError
from scimind.experts.activations import ActivationReader
from scimind.experts.clustering import KernelSpace, VectorSpace, cluster
from scimind.experts.neurons import NeuronWeights
from scimind.experts.report import contiguous_labels, kept_report, random_labels, similarity_report
from scimind.runtime.console import Console

METHODS = {
    "kmeans": "neurons with similar weights share an expert",
    "coactivation": "neurons that are active for the same tokens of --data share an expert",
    "contiguous": "neurons stay in their order",
    "random": "neurons are assigned at random, as a baseline",
}


@dataclass(frozen=True)
class BuildSettings:
    """Settings for building experts.

    Args:
        method: One of `METHODS`.
        num_experts: e.
        on: The weights that k-means compares: "gate" (w1), "up" (w3) or "both".
        seed: Seed of all random choices.
        starts: Number of k-means runs; the best result is kept.
    """

    method: str
    num_experts: int
    on: str
    seed: int
    starts: int = 1

    def described(self, weights: NeuronWeights) -> dict[str, Any]:
        """Returns the method's entries in `partition.json`."""
        values = asdict(self)
        return {
            "method": values.pop("method"),
            "seed": values.pop("seed"),
            "settings": {name: value for name, value in values.items() if name != "num_experts"},
            "fingerprint": weights.fingerprint(),
        }


def build_partition(
    weights: NeuronWeights, settings: BuildSettings, reader: ActivationReader | None, console: Console
) -> list[NDArray[np.int64]]:
    """Returns the expert of each neuron, one [h] array per layer.

    Args:
        weights: The checkpoint's neurons.
        settings: How to build them.
        reader: The model and its data, for `coactivation`.
        console: Shows the progress.

    Raises:
        SciMindError: The neurons cannot be divided equally, or data is missing.
    """
    experts = settings.num_experts
    if weights.neurons % experts:
        raise SciMindError(
            f"the checkpoint's {weights.neurons} neurons per layer cannot be divided equally among num_experts "
            f"({experts}); choose another --num-experts"
        )
    if settings.method == "coactivation":
        if reader is None:
            raise SciMindError("--method coactivation needs --data FILE, made by `scimind prepare`")
        return _by_coactivation(reader, settings)
    layers = []
    with console.progress(weights.num_layers, settings.method, unit="layer", every=1) as progress:
        for layer in range(weights.num_layers):
            random = np.random.default_rng([settings.seed, layer])  # a layer's result is independent of the others
            if settings.method == "kmeans":
                space = VectorSpace(weights.vectors(layer, settings.on))
                labels = cluster(
                    space,
                    experts,
                    random,
                    starts=settings.starts,
                    on_round=lambda number, cost: progress.show(f"round {number}"),
                )
            elif settings.method == "random":
                labels = random_labels(weights.neurons, experts, random)
            else:
                labels = contiguous_labels(weights.neurons, experts)
            layers.append(labels)
            progress.advance(1)
    return layers


def _by_coactivation(reader: ActivationReader, settings: BuildSettings) -> list[NDArray[np.int64]]:
    from scimind.experts.coactivation import coactivations

    return [
        cluster(
            KernelSpace(products),
            settings.num_experts,
            np.random.default_rng([settings.seed, layer]),
            starts=settings.starts,
        )
        for layer, products in coactivations(reader)
    ]


def make_report(
    weights: NeuronWeights,
    layers: list[NDArray[Any]],
    num_experts: int,
    *,
    on: str,
    reader: ActivationReader | None,
    score: str,
    seed: int,
) -> dict[str, Any]:
    """Returns the report on a partition; without a reader, it has no section on kept activation."""
    report: dict[str, Any] = {
        "sizes": {
            "layers": len(layers),
            "experts": num_experts,
            "neurons_per_expert": weights.neurons // num_experts,
            "smallest": min(int(np.bincount(labels, minlength=num_experts).min()) for labels in layers),
            "largest": max(int(np.bincount(labels, minlength=num_experts).max()) for labels in layers),
        },
        "similarity": similarity_report(weights, layers, num_experts, on),
    }
    if reader is not None:
        report["kept"] = kept_report(reader, layers, num_experts, score, seed)
    return report


def in_short(report: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the report's means, for `partition.json`."""
    alike = report["similarity"]
    short: dict[str, Any] = {"similarity": {name: alike[name]["mean"] for name in ("within_experts", "random")}}
    if "kept" in report:
        short["kept"] = {
            kind: {name: values["mean"] for name, values in report["kept"][kind].items()}
            for kind in ("partition", "random")
        }
    return short
