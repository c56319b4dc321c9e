"""Balanced k-means: neurons that resemble each other share an expert, and all experts have the same size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scimind.experts.balance import balanced_assignment

MOST_ROUNDS = 50
_SMALLEST_GAIN = 1e-5  # of the cost: rounds that win less are not worth their time


class Space(Protocol):
    """Where neurons lie; all that k-means asks of it."""

    @property
    def size(self) -> int:
        """h, the number of neurons."""

    def from_neuron(self, neuron: int) -> NDArray[Any]:
        """Returns the squared distance of each neuron from one of them [h]."""

    def from_centres(self, labels: NDArray[np.int64], num_experts: int) -> NDArray[Any]:
        """Returns the squared distance of each neuron from the mean of each expert's neurons [h, e]."""


@dataclass(frozen=True)
class VectorSpace:
    """Neurons as vectors, such as rows of the weights.

    Args:
        vectors: float32 [h, n].
    """

    vectors: NDArray[np.float32]

    @property
    def size(self) -> int:
        """h, the number of neurons."""
        return len(self.vectors)

    def from_neuron(self, neuron: int) -> NDArray[Any]:
        """See `Space`."""
        squares = np.einsum("hn,hn->h", self.vectors, self.vectors)
        products = self.vectors @ self.vectors[neuron]
        return np.maximum(squares + squares[neuron] - 2 * products, 0)

    def from_centres(self, labels: NDArray[np.int64], num_experts: int) -> NDArray[Any]:
        """See `Space`."""
        centres = np.stack([self.vectors[labels == e].mean(axis=0) for e in range(num_experts)])  # [e, n]
        squares = np.einsum("hn,hn->h", self.vectors, self.vectors)
        return squares[:, None] + np.einsum("en,en->e", centres, centres) - 2 * (self.vectors @ centres.T)


@dataclass(frozen=True)
class KernelSpace:
    """Neurons known by their products alone, such as how often two are active together.

    K-means of equal sizes in this space is the division of the graph whose edges are the products into equal parts
    such that the edges inside the parts weigh the most.

    Args:
        products: Symmetric, float32 [h, h].

    Source: Dhillon, Guan and Kulis, Weighted Graph Cuts without Eigenvectors (IEEE TPAMI 2007).
    """

    products: NDArray[np.float32]

    @property
    def size(self) -> int:
        """h, the number of neurons."""
        return len(self.products)

    def from_neuron(self, neuron: int) -> NDArray[Any]:
        """See `Space`."""
        squares = self.products.diagonal()
        return np.maximum(squares + squares[neuron] - 2 * self.products[neuron], 0)

    def from_centres(self, labels: NDArray[np.int64], num_experts: int) -> NDArray[Any]:
        """See `Space`."""
        share = np.zeros((self.size, num_experts), np.float32)  # [h, e]: the weight of a neuron in an expert's mean
        share[np.arange(self.size), labels] = 1.0 / np.bincount(labels, minlength=num_experts)[labels]
        products = self.products @ share  # [h, h] · [h, e] -> [h, e]
        return self.products.diagonal()[:, None] + np.einsum("he,he->e", share, products) - 2 * products


def cluster(
    space: Space,
    num_experts: int,
    random: np.random.Generator,
    *,
    starts: int = 1,
    on_round: Callable[[int, float], None] = lambda number, cost: None,
) -> NDArray[np.int64]:
    """Returns the expert of each neuron, int64 [h]; each expert has exactly h / e neurons.

    Rounds of means and balanced assignments, which never raise the sum of squared distances, until one wins nothing.

    Args:
        space: Where the neurons lie.
        num_experts: e; h must be a multiple of it.
        random: Source of the seeds.
        starts: How often to begin with other seeds; the best result is kept.
        on_round: Is told the number of a round that is done, and its sum of squared distances.

    Source: Zhang et al., MoEfication (Findings of ACL 2022), section 3.1, parameter clustering split; Malinen and
        Fränti, Balanced K-Means for Clustering (S+SSPR 2014).
    """
    best, least = None, math.inf
    for _ in range(starts):
        labels = balanced_assignment(_distances_from_seeds(space, num_experts, random))
        cost = math.inf
        for number in range(1, MOST_ROUNDS + 1):
            distances = space.from_centres(labels, num_experts)
            moved = balanced_assignment(distances)
            before, cost = cost, float(distances[np.arange(space.size), moved].sum(dtype=np.float64))
            is_done = bool((moved == labels).all()) or before - cost < _SMALLEST_GAIN * abs(cost)
            labels = moved
            on_round(number, cost)
            if is_done:
                break
        if best is None or cost < least:
            best, least = labels, cost
    assert best is not None
    return best


def _distances_from_seeds(space: Space, num_experts: int, random: np.random.Generator) -> NDArray[Any]:
    """Returns the squared distance of each neuron from e seeds that lie far apart [h, e].

    Each seed is the best of a few that are drawn with a chance in proportion to their distance from the seeds so far.

    Source: Arthur and Vassilvitskii, k-means++ (SODA 2007), with the several trials that its section 7 proposes.
    """
    trials = 2 + int(math.log(num_experts))
    columns = [space.from_neuron(int(random.integers(space.size)))]
    nearest = columns[0].astype(np.float64)
    while len(columns) < num_experts:
        total = nearest.sum()
        chances = nearest / total if total > 0 else None  # all neurons alike: any is as good
        drawn = [space.from_neuron(int(seed)) for seed in random.choice(space.size, trials, p=chances)]
        best = min(drawn, key=lambda column: float(np.minimum(nearest, column).sum()))
        columns.append(best)
        nearest = np.minimum(nearest, best)
    return np.stack(columns, axis=1)
