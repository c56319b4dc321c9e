"""Router `modality`: a fixed set of experts for each modality."""

from __future__ import annotations

from typing import Any, TypedDict

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import runs
from scimind.model.dispatch.grouped import GroupedFeedForward
from scimind.model.routing.groups import TokenGroups, expert_groups, group_table
from scimind.model.routing.lookup import RowLookup, expert_rows
from scimind.model.routing.router import PlannerSettings, RouterSettings


class ModalityPlan(TypedDict):
    """The plan with masked dispatch.

    active: 1 where a token uses an expert [t, e], in the type of the products.
    """

    active: Tensor


class GroupedPlan(TypedDict):
    """The plan with grouped dispatch.

    positions: The tokens [n] int32 of each of `expert_groups`; empty if there is only one group.
    places: Each token's place in the concatenated groups [t] int32.
    """

    positions: tuple[Tensor, ...]
    places: Tensor


class ModalityPlanner(nn.Cell):
    """Looks up which experts a token's modality uses."""

    def __init__(self, settings: PlannerSettings) -> None:
        super().__init__()
        routing = settings.routing
        rows = expert_rows(routing.expert_sets, routing.num_experts, settings.vocab_size, routing.modality_ranges)
        self.active = RowLookup(Tensor(rows, settings.compute_dtype), settings.data_parallel)
        self.reshape = P.Reshape()

    def construct(self, tokens: Tensor) -> ModalityPlan:
        """Returns the plan of tokens [b, s] int32."""
        return {"active": self.active(self.reshape(tokens, (-1,)))}  # [b, s] -> [t]


class GroupPlanner(nn.Cell):
    """Looks up each token's group, and finds the groups' tokens."""

    def __init__(self, settings: PlannerSettings) -> None:
        super().__init__()
        self.group_of = RowLookup(Tensor(group_table(settings.routing, settings.vocab_size), mstype.int32))
        self.token_groups = TokenGroups(len(expert_groups(settings.routing)))
        self.reshape = P.Reshape()

    def construct(self, tokens: Tensor) -> GroupedPlan:
        """Returns the plan of tokens [b, s] int32."""
        positions, places = self.token_groups(self.group_of(self.reshape(tokens, (-1,))))
        return {"positions": positions, "places": places}


class ModalityRouter(nn.Cell):
    """Selects the experts of a token's modality, which is determined by the input token at the position.

        active(t) = expert_sets[m(t)]

    Source: SciMind's paper, which pre-trains with text experts and SMILES experts.
    """

    def __init__(self, settings: RouterSettings) -> None:
        super().__init__()
        if settings.dispatch == "grouped":
            size = settings.neurons // settings.routing.num_experts
            groups = tuple(
                tuple((first * size, last * size) for first, last in runs(experts))
                for experts, _ in expert_groups(settings.routing)
            )
            self.by_group = settings.cells(GroupedFeedForward, groups, settings.dim, settings.neurons, settings.kernels)

    @staticmethod
    def planner(settings: PlannerSettings) -> nn.Cell:
        """Returns the planner, see `Router`."""
        return GroupPlanner(settings) if settings.dispatch == "grouped" else ModalityPlanner(settings)

    def choose(self, x: Tensor, u: Tensor, plan: ModalityPlan) -> Tensor:
        """Returns the active experts [t, e], see `Router`."""
        return plan["active"]

    def weigh(self, x: Tensor, u: Tensor, plan: ModalityPlan) -> tuple[Tensor, Any]:
        """Returns the experts' weights [t, e] and None for the balance, see `Router`."""
        return plan["active"], None

    def compute(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, plan: GroupedPlan) -> tuple[Tensor, Any]:
        """Returns y [t, d] and None for the balance, see `Router`."""
        return self.by_group(x, w1, w3, w2, plan["positions"], plan["places"]), None
