"""Balanced k-means: groups similar neurons into experts of equal size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from scimind.experts.balance import balanced_assignment

MOST_ROUNDS = 50
_SMALLEST_GAIN = 1e-5  # share of the cost; rounds that improve it by less are not worth their time


class Space(Protocol):
    """The space that neurons lie in, with what k-means needs of it."""

    @property
    def size(self) -> int:
        """The number of neurons h."""

    def from_neuron(self, neuron: int) -> NDArray[Any]:
        """Returns the squared distance of each neuron from a given one [h]."""

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
        """The number of neurons h."""
        return len(self.vectors)

    def from_neuron(self, neuron: int) -> NDArray[Any]:
        """Overrides `Space`."""
        squares = np.einsum("hn,hn->h", self.vectors, self.vectors)
        products = self.vectors @ self.vectors[neuron]
        return np.maximum(squares + squares[neuron] - 2 * products, 0)

    def from_centres(self, labels: NDArray[np.int64], num_experts: int) -> NDArray[Any]:
        """Overrides `Space`."""
        centres = np.stack([self.vectors[labels == e].mean(axis=0) for e in range(num_experts)])  # [e, n]
        squares = np.einsum("hn,hn->h", self.vectors, self.vectors)
        return squares[:, None] + np.einsum("en,en->e", centres, centres) - 2 * (self.vectors @ centres.T)


@dataclass(frozen=True)
class KernelSpace:
    """Neurons known only by their pairwise products, such as how often two are active together.

    Balanced k-means in this space divides the graph whose edge weights are the products into equal parts such that the
    total weight of the edges within the parts is largest.

    Args:
        products: Symmetric, float32 [h, h].

    Source: Dhillon, Guan and Kulis, Weighted Graph Cuts without Eigenvectors (IEEE TPAMI 2007).
    """

    products: NDArray[np.float32]

    @property
    def size(self) -> int:
        """The number of neurons h."""
        return len(self.products)

    def from_neuron(self, neuron: int) -> NDArray[Any]:
        """Overrides `Space`."""
        squares = self.products.diagonal()
        return np.maximum(squares + squares[neuron] - 2 * self.products[neuron], 0)

    def from_centres(self, labels: NDArray[np.int64], num_experts: int) -> NDArray[Any]:
        """Overrides `Space`."""
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

    Alternates means and balanced assignments, which never raise the sum of squared distances, until a round improves
    nothing.

    Args:
        space: Where the neurons lie.
        num_experts: e; h must be a multiple of it.
        random: Generator for the initial seeds.
        starts: Number of runs with different seeds; the best result is kept.
        on_round: Called after each round with its number and its sum of squared distances.

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

    Each seed is the best of a few candidates, drawn with a probability proportional to their distance from the seeds
    so far.

    Source: Arthur and Vassilvitskii, k-means++ (SODA 2007), with several trials per seed as its section 7 proposes.
    """
    trials = 2 + int(math.log(num_experts))
    columns = [space.from_neuron(int(random.integers(space.size)))]
    nearest = columns[0].astype(np.float64)
    while len(columns) < num_experts:
        total = nearest.sum()
        chances = nearest / total if total > 0 else None  # all neurons are equal: any will do
        drawn = [space.from_neuron(int(seed)) for seed in random.choice(space.size, trials, p=chances)]
        best = min(drawn, key=lambda column: float(np.minimum(nearest, column).sum()))
        columns.append(best)
        nearest = np.minimum(nearest, best)
    return np.stack(columns, axis=1)
