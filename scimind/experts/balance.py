"""Balanced assignment of neurons to experts at minimum cost, with the same number of neurons for each expert."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def balanced_assignment(costs: NDArray[np.floating]) -> NDArray[np.int64]:
    """Returns the cheapest assignment that gives each expert h / e neurons, int64 [h].

    Every neuron starts at its cheapest expert. Then, as long as an expert has too many, neurons move along the cheapest
    chain from an expert with too many to one with too few. A chain leads from expert to expert, so a search covers e
    experts instead of h neurons: a move from a to b costs as much as it does for the neuron of a for which it is
    cheapest. These are the successive shortest paths of minimum-cost flow: after every chain the assignment is the
    cheapest for its sizes, and the result is exact. Ties go to the lower number, so equal costs give equal results.

    Args:
        costs: Cost of each neuron at each expert [h, e], finite; h is a multiple of e.

    Source: Malinen and Fränti, Balanced K-Means for Clustering (S+SSPR 2014), for k-means as an assignment problem;
        Ahuja, Magnanti and Orlin, Network Flows (1993), section 9.7, for successive shortest paths.
    """
    neurons, experts = costs.shape
    assert neurons % experts == 0 and np.isfinite(costs).all()
    costs = costs.astype(np.float64)
    labels = costs.argmin(axis=1)
    surplus = np.bincount(labels, minlength=experts) - neurons // experts
    move = np.full((experts, experts), np.inf)  # [a, b]: the least cost of a neuron's move from a to b
    mover = np.zeros((experts, experts), np.int64)  # [a, b]: that neuron
    changed = set(range(experts))
    while (surplus > 0).any():
        for a in changed:
            members = np.flatnonzero(labels == a)
            if members.size == 0:
                move[a] = np.inf
                continue
            change = costs[members] - costs[members, a, None]  # [members, e]
            best = change.argmin(axis=0)
            mover[a], move[a] = members[best], change[best, range(experts)]
        chain = _cheapest_chain(move, surplus)
        for a, b in zip(chain, chain[1:], strict=False):
            labels[mover[a, b]] = b
        surplus[chain[0]] -= 1
        surplus[chain[-1]] += 1
        changed = set(chain)
    return labels


def _cheapest_chain(move: NDArray[np.float64], surplus: NDArray[np.int64]) -> list[int]:
    """Returns the experts of the cheapest chain from one with too many neurons to one with too few (Bellman-Ford)."""
    experts = len(surplus)
    cost = np.where(surplus > 0, 0.0, np.inf)
    before = np.full(experts, -1)
    for _ in range(experts - 1):
        through = cost[:, None] + move  # [from, to]
        best = through.argmin(axis=0)
        reached = through[best, range(experts)]
        # A path that only rounding makes cheaper could close a cycle.
        better = reached < cost - 1e-12 * (1 + np.abs(np.where(np.isfinite(cost), cost, 0.0)))
        if not better.any():
            break
        cost, before = np.where(better, reached, cost), np.where(better, best, before)
    chain = [int(np.where(surplus < 0, cost, np.inf).argmin())]
    while before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
        assert len(chain) <= experts
    return chain[::-1]
