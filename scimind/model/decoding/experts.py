"""The routed feed-forward of one token per row."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings, runs
from scimind.model.decoding.products import RowsFeedForward, RowsProduct, are_columns
from scimind.model.decoding.shared import DecodingParts
from scimind.model.decoding.weights import StepWeights
from scimind.model.routing.groups import expert_groups, group_table


class NeuronPlan(TypedDict):
    """The plan of a step with router `modality`.

    active: 1 where a token uses a neuron, laid out as `RowsFeedForward.neurons`.
    """

    active: Tensor


class NeuronPlanner(nn.Cell):
    """Makes the plan of a step's tokens with router `modality`.

    Args:
        routing: The routing settings.
        vocab_size: v.
        neurons: h.
        dtype: Type of `active`.
    """

    def __init__(self, routing: RoutingSettings, vocab_size: int, neurons: int, dtype: mstype) -> None:
        super().__init__(auto_prefix=False)
        groups = [experts for experts, _ in expert_groups(routing)]
        active = np.zeros((len(groups), routing.num_experts))
        for row, experts in zip(active, groups, strict=True):
            row[list(experts)] = 1
        active = np.repeat(active, neurons // routing.num_experts, 1)
        self.active_rows = Tensor(active, dtype)  # [groups, h]
        self.active_columns = Tensor(active.T.copy(), dtype)  # [h, groups]
        self.group_of = Tensor(group_table(routing, vocab_size), mstype.int32)  # [v]
        self.gather = P.Gather()

    def construct(self, ids: Tensor) -> NeuronPlan:
        """Returns the plan of ids [b] int32."""
        groups = self.gather(self.group_of, ids, 0)
        if are_columns(ids.shape[0]):
            return {"active": self.gather(self.active_columns, groups, 1)}
        return {"active": self.gather(self.active_rows, groups, 0)}


class StepFeedForward(nn.Cell):
    """The feed-forward of tokens that use all experts.

    Args:
        feed_forward: The layer's feed-forward; its parameters are shared.
    """

    def __init__(self, feed_forward: Any) -> None:
        super().__init__(auto_prefix=False)
        self.feed_forward = feed_forward
        self.dtype = feed_forward.dtype
        self.halves = RowsFeedForward()
        self.cast = P.Cast()

    def construct(self, x: Tensor, plan: Any) -> Tensor:
        """Returns y [b, d] for x [b, d] and the step's plan; uses the weights without copying them."""
        x = self.cast(x, self.dtype)
        whole = self.feed_forward
        w1, w3, w2 = whole.w1.weight, whole.w3.weight, whole.w2.weight
        u = self.halves.neurons(x, self.cast(w1, self.dtype), self.cast(w3, self.dtype))
        return self.halves.output(self.active(x, u, plan), self.cast(w2, self.dtype), x.shape[0])

    def active(self, x: Tensor, u: Tensor, plan: Any) -> Tensor:
        """Returns u, laid out as by `RowsFeedForward.neurons`, with 0 for neurons that a token does not use."""
        return u


class ModalityStep(StepFeedForward):
    """The feed-forward of tokens whose plan specifies their neurons."""

    def active(self, x: Tensor, u: Tensor, plan: NeuronPlan) -> Tensor:
        """Returns u of the active neurons, see `StepFeedForward`."""
        return u * plan["active"]


class ChosenStep(StepFeedForward):
    """The feed-forward of tokens whose experts the layer's router chooses.

    Args:
        feed_forward: The layer's feed-forward; its parameters are shared.
    """

    def __init__(self, feed_forward: Any) -> None:
        super().__init__(feed_forward)
        _, num_experts, size = self.experts = feed_forward.experts  # [b, e, f]
        self.spread = Tensor(np.repeat(np.eye(num_experts), size, 0), self.dtype)  # [h, e]
        self.product = RowsProduct()
        self.transpose = P.Transpose()
        self.reshape = P.Reshape()

    def active(self, x: Tensor, u: Tensor, plan: Any) -> Tensor:
        """Returns u of the active neurons, see `StepFeedForward`."""
        rows = self.transpose(u, (1, 0)) if are_columns(x.shape[0]) else u  # [b, h]
        chosen = self.feed_forward.gate.choose(x, self.reshape(rows, self.experts), plan)  # [b, e]
        return u * self.product(self.cast(chosen, self.dtype), self.spread)  # [b, e] -> [b, h] or [h, b]


class GroupFeedForward(nn.Cell):
    """The feed-forward of tokens that all use the same experts; other neurons are not computed.

    Args:
        weights: A step's weights of those neurons.
        layer: Number of the layer.
    """

    def __init__(self, weights: StepWeights, layer: int) -> None:
        super().__init__(auto_prefix=False)
        self.weights, self.layer = weights, layer
        self.halves = RowsFeedForward()
        self.cast = P.Cast()

    def construct(self, x: Tensor, plan: Any) -> Tensor:
        """Returns y [b, d] of x [b, d], as `StepFeedForward` does."""
        w1, w3, w2 = self.weights.w1[self.layer], self.weights.w3[self.layer], self.weights.w2[self.layer]
        return self.halves.output(self.halves.neurons(self.cast(x, w1.dtype), w1, w3), w2, x.shape[0])


class StepExperts(nn.Cell):
    """The weights, the planner and each layer's feed-forward of a step.

    Args:
        parts: The model's components.
    """

    name = "all experts"
    group = -1  # any

    def __init__(self, parts: DecodingParts) -> None:
        super().__init__(auto_prefix=False)
        routing = parts.routing
        self.weights = StepWeights(parts, (), self.name)
        kind: type[StepFeedForward] = ChosenStep
        self.planner = parts.planner
        if routing.router == "modality":  # each neuron's factor is looked up directly
            self.planner = NeuronPlanner(routing, parts.vocab_size, parts.intermediate_size, parts.dtype)
            uses_all = all(len(experts) == routing.num_experts for experts, _ in expert_groups(routing))
            kind = StepFeedForward if uses_all else ModalityStep
        self.layers = nn.CellList([kind(layer.layer.feed_forward) for layer in parts.layers], auto_prefix=False)

    def plan(self, ids: Tensor) -> Any:
        """Returns the layers' plan for ids [b] int32."""
        return self.planner(ids)


class GroupExperts(nn.Cell):
    """The same for steps in which every token uses one group's experts, see `expert_groups`.

    Args:
        parts: The model's components; its router is `modality`.
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
        layers = [GroupFeedForward(self.weights, number) for number in range(len(parts.layers))]
        self.layers = nn.CellList(layers, auto_prefix=False)

    def plan(self, ids: Tensor) -> Any:
        """Returns an empty plan, since all tokens use the same experts."""
        return ()


def small_groups(routing: RoutingSettings) -> tuple[int, ...]:
    """Returns the groups that use at least one and at most half of the experts, for which a separate step pays off."""
    if routing.router != "modality":
        return ()
    sizes = [len(chosen) for chosen, _ in expert_groups(routing)]
    return tuple(group for group, size in enumerate(sizes) if 0 < 2 * size <= routing.num_experts)
