"""Quality of a partition: how similar an expert's neurons are, and how much activation the best experts keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scimind.checkpoint.partition import neuron_order
from scimind.experts.activations import LayerActivations
from scimind.modality import MODALITY_NAMES

MEASURE = "share of a token's sum of u² that its k experts of the highest score hold, mean over tokens"


def similarity(vectors: NDArray[np.float32], labels: NDArray[Any], num_experts: int) -> tuple[float, float]:
    """Returns the mean cosine of two neurons of the same expert, and that of any two, as in a random partition.

    Args:
        vectors: A unit vector for each neuron [h, n].
        labels: The expert of each neuron [h].
        num_experts: e.
    """
    sums = np.stack([vectors[labels == e].sum(axis=0, dtype=np.float64) for e in range(num_experts)])  # [e, n]
    neurons, size = len(vectors), len(vectors) // num_experts
    own = (np.square(vectors, dtype=np.float64)).sum()  # each neuron with itself
    within = (np.square(sums).sum() - own) / max(1, neurons * (size - 1))
    return float(within), float((np.square(sums.sum(axis=0)).sum() - own) / max(1, neurons * (neurons - 1)))


class KeptActivation:
    """Measures how much activation a token's k best experts keep, for several partitions at once.

    Args:
        partitions: Partitions by name, each with the labels [h] of all layers.
        num_experts: e.
        score: How an expert is scored by its neurons: the sum of u ("sum"), of |u| ("abs") or of u² ("square").
    """

    def __init__(self, partitions: Mapping[str, Sequence[NDArray[Any]]], num_experts: int, score: str) -> None:
        self.num_experts, self.score = num_experts, score
        self._orders = {name: [neuron_order(labels) for labels in layers] for name, layers in partitions.items()}
        self._layers = len(next(iter(self._orders.values())))
        shape = (self._layers, len(MODALITY_NAMES), num_experts)
        self._kept = {name: np.zeros(shape) for name in partitions}
        self._energy = {name: np.zeros(shape) for name in partitions}
        self._tokens = np.zeros(len(MODALITY_NAMES), np.int64)

    def add(self, batch: LayerActivations) -> None:
        """Adds one layer's activations of one batch."""
        if batch.layer == 0:
            self._tokens += np.bincount(batch.modality, minlength=len(MODALITY_NAMES))
        for name, orders in self._orders.items():
            u = batch.u[:, orders[batch.layer]].reshape(len(batch.u), self.num_experts, -1)  # [t, e, f]
            energy = np.square(u).sum(axis=-1)  # [t, e]
            score = energy if self.score == "square" else (np.abs(u) if self.score == "abs" else u).sum(axis=-1)
            share = energy / np.maximum(energy.sum(axis=1, keepdims=True), 1e-30)
            ranking = np.argsort(-score, axis=1, kind="stable")  # ties go to the lower expert
            kept = np.cumsum(np.take_along_axis(share, ranking, axis=1), axis=1)  # [t, k]
            for modality in np.unique(batch.modality):
                chosen = batch.modality == modality
                self._kept[name][batch.layer, modality] += kept[chosen].sum(axis=0, dtype=np.float64)
                self._energy[name][batch.layer, modality] += share[chosen].sum(axis=0, dtype=np.float64)

    @property
    def tokens(self) -> dict[str, int]:
        """The number of tokens of each modality that were counted."""
        return {name: int(count) for name, count in zip(MODALITY_NAMES, self._tokens, strict=True)}

    def kept(self, name: str) -> NDArray[np.float64]:
        """Returns the mean share kept [layers, modalities, e] at k = 1 … e; NaN for modalities without tokens."""
        return self._mean(self._kept[name])

    def energy(self, name: str) -> NDArray[np.float64]:
        """Returns each expert's mean share of a token's sum of u² [layers, modalities, e]; NaN as in `kept`."""
        return self._mean(self._energy[name])

    def _mean(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return sums / self._tokens[:, None]
