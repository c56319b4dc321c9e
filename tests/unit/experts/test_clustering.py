"""Balanced k-means is exact, balanced and repeatable, and finds planted clusters."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from scimind.experts.balance import balanced_assignment
from scimind.experts.clustering import KernelSpace, VectorSpace, cluster
from scimind.experts.coactivation import normalised
from scimind.experts.measures import similarity

EXPERTS, SIZE = 8, 12


def planted(noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns unit vectors [h, 32] around eight directions, and the direction of each [h]."""
    random = np.random.default_rng(seed)
    truth = random.permutation(np.repeat(np.arange(EXPERTS), SIZE))
    vectors = random.standard_normal((EXPERTS, 32))[truth] + noise * random.standard_normal((len(truth), 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), truth


def same_division(one: np.ndarray, two: np.ndarray) -> bool:
    return bool(((one[:, None] == one) == (two[:, None] == two)).all())


@pytest.mark.parametrize("seed", range(12))
def test_the_assignment_is_the_cheapest(seed: int) -> None:
    random = np.random.default_rng(seed)
    experts, size = int(random.integers(2, 9)), int(random.integers(1, 12))
    costs = random.standard_normal((experts * size, experts)) + 2 * random.standard_normal(experts)
    costs = np.round(costs) if seed % 3 == 0 else costs  # with ties
    labels = balanced_assignment(costs)
    assert (np.bincount(labels, minlength=experts) == size).all()
    slots = np.repeat(costs, size, axis=1)
    least = slots[linear_sum_assignment(slots)].sum()
    assert costs[np.arange(len(costs)), labels].sum() == pytest.approx(least, abs=1e-9)
    assert costs[np.arange(len(costs)), random.permutation(labels)].sum() >= least - 1e-9


@pytest.mark.parametrize("kind", ["vectors", "products"])
def test_planted_clusters_are_found(kind: str) -> None:
    vectors, truth = planted(noise=0.3)
    space = VectorSpace(vectors) if kind == "vectors" else KernelSpace(vectors @ vectors.T)
    labels = cluster(space, EXPERTS, np.random.default_rng(0), starts=3)
    assert same_division(labels, truth)
    assert not same_division(np.random.default_rng(1).permutation(labels), truth)  # the twin that must fail


def test_both_spaces_are_the_same_geometry() -> None:
    vectors, truth = planted(noise=1.0)
    by_vectors, by_products = VectorSpace(vectors), KernelSpace(vectors @ vectors.T)
    one, two = (space.from_centres(truth, EXPERTS) for space in (by_vectors, by_products))
    np.testing.assert_allclose(one, two, atol=1e-5)
    np.testing.assert_allclose(by_vectors.from_neuron(3), by_products.from_neuron(3), atol=1e-5)
    expected = ((vectors - vectors[truth == 2].mean(axis=0)) ** 2).sum(axis=1)
    np.testing.assert_allclose(one[:, 2], expected, atol=1e-5)


def test_clusters_are_balanced_repeatable_and_better_than_chance() -> None:
    vectors, _ = planted(noise=2.0)  # no clear clusters
    costs: list[float] = []
    runs = [
        cluster(
            VectorSpace(vectors), EXPERTS, np.random.default_rng(5), on_round=lambda number, cost: costs.append(cost)
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)
    assert (np.bincount(runs[0]) == SIZE).all()
    first = costs[: len(costs) // 2]
    assert first == sorted(first, reverse=True)
    within, anywhere = similarity(vectors, runs[0], EXPERTS)
    shuffled, _ = similarity(vectors, np.random.default_rng(0).permutation(runs[0]), EXPERTS)
    assert within > anywhere + 0.05 > shuffled


def test_equal_neurons_are_divided_too() -> None:
    labels = cluster(VectorSpace(np.ones((24, 3), np.float32)), 4, np.random.default_rng(0))
    assert (np.bincount(labels) == 6).all()


def test_similarity_is_the_mean_cosine_of_pairs() -> None:
    vectors, truth = planted(noise=1.0)
    cosines = vectors.astype(float) @ vectors.T.astype(float)
    apart = ~np.eye(len(vectors), dtype=bool)
    expected = cosines[apart & (truth[:, None] == truth)].mean(), cosines[apart].mean()
    assert similarity(vectors, truth, EXPERTS) == pytest.approx(expected, abs=1e-6)


def test_products_become_cosines() -> None:
    active = np.abs(np.random.default_rng(0).standard_normal((50, 6))).astype(np.float32)
    active[:, 4] = 0  # never active
    cosines = normalised(active.T @ active)
    np.testing.assert_allclose(cosines.diagonal(), 1)
    expected = active[:, 0] @ active[:, 1] / np.linalg.norm(active[:, 0]) / np.linalg.norm(active[:, 1])
    assert cosines[0, 1] == pytest.approx(expected, abs=1e-6)
    assert cosines[4, 0] == 0
