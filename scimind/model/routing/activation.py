"""Router `activation`: chooses the experts whose neurons are most active."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings
from scimind.model.dispatch.dense import DENSE_CELLS
from scimind.model.dispatch.grouped import ExpertFeedForward
from scimind.model.routing.router import PlannerSettings, RouterSettings
from scimind.model.routing.selection import expert_choice
from scimind.model.routing.top_k import TopKPlan, TopKPlanner


class ActivationSelector(nn.Cell):
    """Chooses experts by the activation of their neurons. Has no parameters and no gradient.

        score(t, i) = Σ_j u(t, i, j), or with |u| or u²                    [t, e]
        active(t) = top-k[m(t)](score(t)) ∪ shared[m(t)]

    Args:
        routing: The routing settings; `score` specifies how an expert's neurons are combined to its score.
        kernels: "mindformers" or "cpu".
        data_parallel: Ways in which tokens are split.
        model_parallel: Ways in which neurons are split.

    Source: SciMind (ACL 2024 workshop on Language + Molecules), the feed-forward of its released code.
    """

    def __init__(self, routing: RoutingSettings, kernels: str, data_parallel: int = 1, model_parallel: int = 1) -> None:
        super().__init__()
        self.kind = routing.score
        self.num_experts = routing.num_experts
        self.on_cpu = kernels == "cpu"
        self.top = expert_choice(routing.num_experts, kernels, data_parallel)
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
            shared: Experts that a token always uses [t, e] bool.
        """
        u = self.cast(self.stop_gradient(experts), mstype.float32)
        if self.kind == "abs":
            u = self.absolute(u)
        elif self.kind == "square":
            u = self.square(u)
        if self.on_cpu:
            # A sum over the last of two axes takes a quarter of the time of one over the last of three.
            score = self.reshape(self.sum(self.reshape(u, (-1, u.shape[-1])), -1), (-1, self.num_experts))
        else:
            score = self.sum(u, -1)  # [t, e, f] -> [t, e]
        return self.top(score, k, shared)


class ActivationRouter(nn.Cell):
    """Computes all neurons, and then uses the experts that `ActivationSelector` chooses for a token.

    Args:
        settings: The router's settings.
    """

    def __init__(self, settings: RouterSettings) -> None:
        super().__init__()
        routing, parallel = settings.routing, settings.parallel_config
        ways = parallel.data_parallel, parallel.model_parallel
        self.selector = ActivationSelector(routing, settings.kernels, *ways)
        self.num_experts, self.neurons = routing.num_experts, settings.neurons
        self.reshape = P.Reshape()
        if settings.dispatch == "grouped":
            d, h, kernels = settings.dim, settings.neurons, settings.kernels
            self.all_neurons = settings.cells(DENSE_CELLS[kernels].neurons, d, h)
            self.by_expert = settings.cells(ExpertFeedForward, routing.num_experts, d, h, kernels)

    @staticmethod
    def planner(settings: PlannerSettings) -> nn.Cell:
        """Returns the planner, see `Router`."""
        return TopKPlanner(settings)

    def choose(self, x: Tensor, u: Tensor, plan: TopKPlan) -> Tensor:
        """Returns the active experts [t, e] bool, see `Router`."""
        return self.selector(u, plan["k"], plan["shared"])

    def weigh(self, x: Tensor, u: Tensor, plan: TopKPlan) -> tuple[Tensor, Any]:
        """Returns the experts' weights [t, e] and None for the balance, see `Router`."""
        return self.choose(x, u, plan), None

    def compute(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, plan: TopKPlan) -> tuple[Tensor, Any]:
        """Returns y [t, d] and None for the balance, see `Router`; only the last product is by expert."""
        u = self.all_neurons(x, w1, w3)[0]  # [t, h]
        experts = self.reshape(u, (-1, self.num_experts, self.neurons // self.num_experts))  # [t, h] -> [t, e, f]
        return self.by_expert.last_product(u, w2, self.choose(x, experts, plan)), None
