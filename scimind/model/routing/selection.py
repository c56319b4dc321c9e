"""Which experts a token uses: each modality's k of the highest score, and the shared ones."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings
from scimind.model._mindformers import runs_on_cpu
from scimind.model.cpu.selection import RankedExperts


class TopExperts(nn.Cell):
    """Chooses each token's k experts of the highest score, and its shared ones. Has no parameters and no gradient.

    Args:
        num_experts: e.
        data_parallel: Ways in which tokens are split.
    """

    def __init__(self, num_experts: int, data_parallel: int = 1) -> None:
        super().__init__()
        e, data = num_experts, data_parallel
        self.rows, self.columns = (-1, e, 1), (-1, 1, e)
        # [1, e, e]: 1 where the column's expert comes before the row's, to which a tie goes.
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
            shared: Experts that a token uses in any case [t, e] bool.
        """
        score = self.stop_gradient(score)
        mine, other = self.reshape(score, self.rows), self.reshape(score, self.columns)  # [t, e, 1], [t, 1, e]
        # An expert's rank is the number of those that beat it: a comparison of all pairs needs no sort, has a static
        # shape, and sends a tie to the lower expert on every device.
        beaten = self.beats(self.greater(other, mine), self.tie(self.equal(other, mine), self.before))  # [t, e, e]
        rank = self.count(self.cast(beaten, mstype.float32), -1)  # [t, e, e] -> [t, e]
        return self.either(self.less(rank, self.cast(k, mstype.float32)), shared)


def expert_choice(num_experts: int, data_parallel: int = 1) -> nn.Cell:
    """Returns the cell that chooses experts here: `TopExperts`, or on the CPU `RankedExperts`, which is faster."""
    return RankedExperts(num_experts) if runs_on_cpu() else TopExperts(num_experts, data_parallel)


class ActivationSelector(nn.Cell):
    """Chooses experts by how much their neurons are activated. Has no parameters and no gradient.

    Args:
        routing: The settings; `score` says how an expert's neurons make its score.
        data_parallel: Ways in which tokens are split.
        model_parallel: Ways in which neurons are split.
    """

    def __init__(self, routing: RoutingSettings, data_parallel: int = 1, model_parallel: int = 1) -> None:
        super().__init__()
        self.kind = routing.score
        self.num_experts = routing.num_experts
        self.on_cpu = runs_on_cpu()
        self.top = expert_choice(routing.num_experts, data_parallel)
        self.reshape = P.Reshape()
        self.cast = P.Cast()
        self.stop_gradient = P.StopGradient()
        self.absolute = P.Abs()
        self.square = P.Square()
        self.sum = P.ReduceSum()
        for operator in (self.absolute, self.square, self.sum):
            operator.shard(((data_parallel, model_parallel, 1),))

    def construct(self, experts: Tensor, k: Tensor, shared: Tensor) -> Tensor:
        """Returns the active experts [t, e] bool.

        Args:
            experts: u [t, e, f].
            k: Experts per token [t, 1] int32.
            shared: Experts that a token uses in any case [t, e] bool.
        """
        u = self.cast(self.stop_gradient(experts), mstype.float32)
        if self.kind == "abs":
            u = self.absolute(u)
        elif self.kind == "square":
            u = self.square(u)
        if self.on_cpu:
            # A sum over the last of two axes takes a quarter of one over the last of three.
            score = self.reshape(self.sum(self.reshape(u, (-1, u.shape[-1])), -1), (-1, self.num_experts))
        else:
            score = self.sum(u, -1)  # [t, e, f] -> [t, e]
        return self.top(score, k, shared)
