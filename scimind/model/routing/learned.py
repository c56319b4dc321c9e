"""Router `learned`: chooses the experts that a small gate scores highest, before any of them is computed."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.dispatch.grouped import ExpertFeedForward
from scimind.model.routing.gate import Gate, LoadBalance
from scimind.model.routing.router import PlannerSettings, RouterSettings
from scimind.model.routing.top_k import BalancedPlan, TopKPlan, TopKPlanner


class LearnedRouter(Gate):
    """A gate that decides which experts are computed.

    Args:
        settings: The router's settings.
    """

    def __init__(self, settings: RouterSettings) -> None:
        routing, parallel = settings.routing, settings.parallel_config
        super().__init__(
            routing, settings.dim, settings.init_method_std, parallel.data_parallel, kernels=settings.kernels
        )
        self.has_balance = routing.has_balance
        if self.has_balance:
            self.balance = LoadBalance(routing.num_experts, parallel.data_parallel)
        if settings.dispatch == "grouped":
            self.by_expert = settings.cells(
                ExpertFeedForward, routing.num_experts, settings.dim, settings.neurons, settings.kernels
            )
        self.only = P.Mul()
        self.sum_of_weights = P.Add()
        ways = parallel.data_parallel * parallel.context_parallel
        for operator in (self.only, self.sum_of_weights):
            operator.shard(((ways, 1), (ways, 1)))

    @staticmethod
    def planner(settings: PlannerSettings) -> nn.Cell:
        """Returns the planner, see `Router`."""
        return TopKPlanner(settings)

    def choose(self, x: Tensor, u: Tensor, plan: TopKPlan) -> Tensor:
        """Returns the active experts [t, e] bool, see `Router`."""
        return self.top(self.score(x), plan["k"], plan["shared"])

    def weigh(self, x: Tensor, u: Tensor, plan: BalancedPlan) -> tuple[Tensor, Any]:
        """Returns the experts' weights [t, e] and the load balance, see `Router`."""
        score, active, through = self.construct(x, plan["k"], plan["shared"])
        active_weight = self.cast(active, mstype.float32)
        # The product keeps experts that are not chosen at 0, without a gradient.
        weight = self.sum_of_weights(active_weight, self.only(through, active_weight))
        return weight, self._balance_of(score, active, plan)

    def compute(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, plan: BalancedPlan) -> tuple[Tensor, Any]:
        """Returns y [t, d] and the load balance, see `Router`."""
        score, active, through = self.construct(x, plan["k"], plan["shared"])
        return self.by_expert(x, w1, w3, w2, active, through), self._balance_of(score, active, plan)

    def _balance_of(self, score: Tensor, active: Tensor, plan: BalancedPlan) -> Any:
        """Returns the load balance float32 [], or None if the loss has no term for it."""
        if self.has_balance:
            return self.balance(score, active, plan["member"])
        return None
