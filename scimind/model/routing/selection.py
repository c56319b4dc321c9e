"""Choosing each token's k experts with the highest score."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.cpu.selection import RankedExperts


class TopExperts(nn.Cell):
    """Chooses each token's k experts with the highest score, and its shared ones. Has no parameters and no gradient.

    Args:
        num_experts: e.
        data_parallel: Ways in which tokens are split.
    """

    def __init__(self, num_experts: int, data_parallel: int = 1) -> None:
        super().__init__()
        e, data = num_experts, data_parallel
        self.rows, self.columns = (-1, e, 1), (-1, 1, e)
        # [1, e, e]: 1 where the column's expert comes before the row's, and so wins a tie.
        self.before = Tensor(np.tril(np.ones((1, e, e)), -1), mstype.bool_)
        self.cast = P.Cast()
        self.reshape = P.Reshape()
        self.stop_gradient = P.StopGradient()
        self.count = P.ReduceSum()
        self.greater = P.Greater()
        self.equal = P.Equal()
        self.tie = P.LogicalAnd()
        self.beats = P.LogicalOr()
        self.less = P.Less()
        self.either = P.LogicalOr()
        for pairwise in (self.greater, self.equal):
            pairwise.shard(((data, 1, 1), (data, 1, 1)))
        self.tie.shard(((data, 1, 1), (1, 1, 1)))
        self.beats.shard(((data, 1, 1), (data, 1, 1)))
        self.count.shard(((data, 1, 1),))
        self.less.shard(((data, 1), (data, 1)))
        self.either.shard(((data, 1), (data, 1)))

    def construct(self, score: Tensor, k: Tensor, shared: Tensor) -> Tensor:
        """Returns the active experts [t, e] bool.

        Args:
            score: [t, e] float32.
            k: Experts per token [t, 1] int32.
            shared: Experts that a token always uses [t, e] bool.
        """
        score = self.stop_gradient(score)
        mine, other = self.reshape(score, self.rows), self.reshape(score, self.columns)  # [t, e, 1], [t, 1, e]
        # An expert's rank is the number of experts that beat it: comparing all pairs needs no sort, has a static shape,
        # and gives ties to the lower expert on every device.
        beaten = self.beats(self.greater(other, mine), self.tie(self.equal(other, mine), self.before))  # [t, e, e]
        rank = self.count(self.cast(beaten, mstype.float32), -1)  # [t, e, e] -> [t, e]
        return self.either(self.less(rank, self.cast(k, mstype.float32)), shared)


def expert_choice(num_experts: int, kernels: str, data_parallel: int = 1) -> nn.Cell:
    """Returns the cell that chooses experts: `TopExperts`, or, with the CPU kernels, the faster `RankedExperts`.

    Args:
        num_experts: e.
        kernels: "mindformers" or "cpu".
        data_parallel: Ways in which tokens are split.
    """
    return RankedExperts(num_experts) if kernels == "cpu" else TopExperts(num_experts, data_parallel)
