"""The routed feed-forward of one token a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings, runs
from scimind.modality import MODALITY_NAMES, modality_table
from scimind.model.cpu.decoding.products import RowsFeedForward, RowsProduct, are_columns
from scimind.model.cpu.decoding.shared import DecodingParts
from scimind.model.cpu.decoding.weights import StepWeights
from scimind.model.routing.plan import expert_groups


class StepPlanner(nn.Cell):
    """Makes a step's routing plan from its tokens.

    Router `modality`: (`active`, 1 where a token uses a neuron, laid out as `RowsFeedForward.neurons`), or nothing
    where every neuron that is computed is used. The other routers: the model's own plan.

    Args:
        routing: The settings.
        planner: The model's planner.
        vocab_size: v.
        neurons: h.
        dtype: Type of `active`.
    """

    def __init__(
        self,
        *,
        routing: RoutingSettings,
        planner: nn.Cell,
        vocab_size: int,
        neurons: int,
        dtype: mstype,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.planner = planner
        self.by_modality = routing.router == "modality"
        groups = [chosen for chosen, _ in expert_groups(routing)]
        self.uses_all = all(len(chosen) == routing.num_experts for chosen in groups)
        active = np.zeros((len(groups), routing.num_experts))
        for number, chosen in enumerate(groups):
            active[number, list(chosen)] = 1
        active = np.repeat(active, neurons // routing.num_experts, 1)
        self.active_rows = Tensor(active, dtype)  # [groups, h]
        self.active_columns = Tensor(active.T.copy(), dtype)  # [h, groups]
        self.group_of = Tensor(group_table(routing, vocab_size), mstype.int32)  # [v]
        self.gather = P.Gather()
        self.reshape = P.Reshape()

    def construct(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Returns the plan of ids [b] int32."""
        if not self.by_modality:
            return self.planner(self.reshape(ids, (-1, 1)))
        if self.uses_all:
            return ()
        groups = self.gather(self.group_of, ids, 0)
        if are_columns(ids.shape[0]):
            return (self.gather(self.active_columns, groups, 1),)
        return (self.gather(self.active_rows, groups, 0),)


class StepFeedForward(nn.Cell):
    """The routed feed-forward.

    Args:
        feed_forward: The layer's; its parameters are shared.
        routing: The settings.
    """

    def __init__(self, feed_forward: Any, routing: RoutingSettings) -> None:
        super().__init__(auto_prefix=False)
        self.feed_forward = feed_forward
        self.router = routing.router
        self.dtype = feed_forward.dtype
        neurons = feed_forward.hidden_dim
        size = neurons // routing.num_experts
        self.experts = (-1, routing.num_experts, size)
        self.spread = Tensor(np.repeat(np.eye(routing.num_experts), size, 0), self.dtype)  # [h, e]
        self.halves, self.product = RowsFeedForward(), RowsProduct()
        self.transpose = P.Transpose()
        self.reshape = P.Reshape()
        self.cast = P.Cast()

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [b, d] of x [b, d] and the step's plan; reads its weights where they are."""
        x = self.cast(x, self.dtype)
        whole = self.feed_forward
        w1, w3, w2 = whole.w1.weight, whole.w3.weight, whole.w2.weight
        u = self.halves.neurons(x, self.cast(w1, self.dtype), self.cast(w3, self.dtype))
        if self.router != "modality":
            u = u * self._chosen(x, u, plan)
        elif len(plan) == 1:
            u = u * plan[0]
        return self.halves.output(u, self.cast(w2, self.dtype), x.shape[0])

    def _chosen(self, x: Tensor, u: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns the active neurons of routers `activation` and `learned`, laid out as u."""
        if self.router == "activation":
            u = self.transpose(u, (1, 0)) if are_columns(x.shape[0]) else u
            experts = self.reshape(u, self.experts)  # [b, h] -> [b, e, f]
            active = self.feed_forward.selector(experts, plan[0], plan[1])
        else:
            gate = self.feed_forward.gate
            active = gate.top(gate.score(x), plan[0], plan[1])
        return self.product(self.cast(active, self.dtype), self.spread)  # [b, e] -> [b, h] or [h, b]


class NoPlan(nn.Cell):
    """The plan of tokens that all use the same experts."""

    def construct(self, ids: Tensor) -> tuple[Tensor, ...]:
        """Returns nothing."""
        return ()


class GroupFeedForward(nn.Cell):
    """The feed-forward of tokens that all use the same experts: other neurons are not computed.

    Args:
        weights: Those neurons', for a step.
        layer: Number of the layer.
    """

    def __init__(self, weights: StepWeights, layer: int) -> None:
        super().__init__(auto_prefix=False)
        self.weights, self.layer = weights, layer
        self.halves = RowsFeedForward()
        self.cast = P.Cast()

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [b, d] of x [b, d], as `StepFeedForward` does."""
        w1, w3, w2 = self.weights.w1[self.layer], self.weights.w3[self.layer], self.weights.w2[self.layer]
        return self.halves.output(self.halves.neurons(self.cast(x, w1.dtype), w1, w3), w2, x.shape[0])


class StepExperts(nn.Cell):
    """A step's weights, its planner, and the feed-forward of each layer.

    Args:
        parts: The model's.
    """

    name = "all experts"
    group = -1  # any

    def __init__(self, parts: DecodingParts) -> None:
        super().__init__(auto_prefix=False)
        self.weights = StepWeights(parts, (), self.name)
        self.planner = StepPlanner(
            routing=parts.routing,
            planner=parts.planner,
            vocab_size=parts.vocab_size,
            neurons=parts.intermediate_size,
            dtype=parts.dtype,
        )
        layers = [StepFeedForward(layer.layer.feed_forward, parts.routing) for layer in parts.layers]
        self.layers = nn.CellList(layers, auto_prefix=False)


class GroupExperts(nn.Cell):
    """The same where every token uses one group's experts, see `expert_groups`.

    Args:
        parts: The model's; its router is `modality`.
        group: Number of the group.
    """

    def __init__(self, parts: DecodingParts, group: int) -> None:
        super().__init__(auto_prefix=False)
        self.group = group
        size = parts.intermediate_size // parts.routing.num_experts
        chosen = expert_groups(parts.routing)[group][0]
        spans = tuple((first * size, last * size) for first, last in runs(chosen))
        self.name = f"neurons {spans}"
        self.weights = StepWeights(parts, spans, self.name)
        self.planner = NoPlan()
        layers = [GroupFeedForward(self.weights, number) for number in range(len(parts.layers))]
        self.layers = nn.CellList(layers, auto_prefix=False)


def small_groups(routing: RoutingSettings) -> tuple[int, ...]:
    """Returns the groups that use at most half of the experts, and at least one: a step of their own pays for them."""
    if routing.router != "modality":
        return ()
    sizes = [len(chosen) for chosen, _ in expert_groups(routing)]
    return tuple(group for group, size in enumerate(sizes) if 0 < 2 * size <= routing.num_experts)


def group_table(routing: RoutingSettings, vocab_size: int) -> np.ndarray:
    """Returns the group of experts (see `expert_groups`) that each token uses with router `modality`, int32 [v]."""
    of_modality = [routing.expert_sets[modality] for modality in MODALITY_NAMES]
    groups = [chosen for chosen, _ in expert_groups(routing)]
    numbers = np.array([groups.index(tuple(chosen)) for chosen in of_modality], np.int32)
    return numbers[modality_table(vocab_size, routing.modality_ranges)]
