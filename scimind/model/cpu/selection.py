"""Choosing experts without comparing all pairs on three axes."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P


class RankedExperts(nn.Cell):
    """Chooses experts as `scimind.model.routing.selection.TopExperts` does, with two small products.

    Of each pair of experts i < j, i beats j if score(i) − score(j) ≥ 0, otherwise j beats i: a tie goes to the lower
    one. The differences are one product with a matrix of 1 and −1, whose sign is exact; an expert's rank, the number of
    experts that beat it, is another.

    Args:
        num_experts: e.
    """

    def __init__(self, num_experts: int) -> None:
        super().__init__()
        lower, higher = np.triu_indices(num_experts, 1)
        pairs = np.arange(len(lower))
        differences = np.zeros((num_experts, len(lower)), np.float32)
        differences[lower, pairs], differences[higher, pairs] = 1, -1
        self.differences = Tensor(differences)  # [e, pairs]
        self.wins = Tensor(-differences.T.copy())  # [pairs, e]: a win raises the other's rank, and lowers one's own
        self.losses = Tensor(np.arange(num_experts)[None, ::-1].astype(np.float32))  # [1, e]: if all higher experts win
        self.product = P.MatMul()
        self.cast = P.Cast()
        self.stop_gradient = P.StopGradient()
        self.not_less = P.GreaterEqual()
        self.less = P.Less()
        self.either = P.LogicalOr()

    def construct(self, score: Tensor, k: Tensor, shared: Tensor) -> Tensor:
        """Returns the active experts [t, e] bool; arguments as in `TopExperts`."""
        wins = self.not_less(self.product(self.stop_gradient(score), self.differences), 0.0)  # [t, pairs]
        rank = self.product(self.cast(wins, mstype.float32), self.wins) + self.losses  # [t, e]
        return self.either(self.less(rank, self.cast(k, mstype.float32)), shared)
