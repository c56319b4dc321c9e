"""The routed feed-forward: Llama's, of which a token computes only the experts that its modality allows."""

from __future__ import annotations

from typing import Any

import numpy as np
from mindspore import Tensor
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings, runs
from scimind.model._mindformers import LlamaFeedForward, runs_on_cpu
from scimind.model.cpu.feed_forward import ExpertFeedForward, GroupedFeedForward, Neurons
from scimind.model.cpu.linear import Product
from scimind.model.routing.gate import Gate, LoadBalance
from scimind.model.routing.plan import expert_groups
from scimind.model.routing.selection import ActivationSelector
from scimind.model.shared_cells import CommonCells


class RoutedFeedForward(LlamaFeedForward):
    """Llama's feed-forward with routed experts.

        u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ)                  [t, h]
        y = (u ⊙ active neurons) · W2ᵀ                  [t, d]

    Expert i owns neurons i·f … (i+1)·f. Parameters are Llama's: `w1.weight` and `w3.weight` [h, d], `w2.weight` [d, h].

    Args:
        routing: The settings.
        dispatch: "masked" or "grouped", see `chosen_dispatch`.
        parallel_config: MindFormers' parallel configuration.
        cells: What the model's layers have in common; its own where none are given.
        **kwargs: LlamaFeedForward's arguments.

    Source: SciMind (ACL 2024 workshop on Language + Molecules), the feed-forward of its released code.
    """

    def __init__(
        self,
        *,
        routing: RoutingSettings,
        dispatch: str,
        parallel_config: Any,
        cells: CommonCells | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parallel_config=parallel_config, **kwargs)
        cells = cells or CommonCells()
        self.neurons = (-1, routing.num_experts, self.hidden_dim // routing.num_experts)  # [t, e, f]
        self.router = routing.router
        self.grouped = dispatch == "grouped"
        data, model = parallel_config.data_parallel, parallel_config.model_parallel
        if self.router == "activation":
            self.selector = ActivationSelector(routing, data, model)
        elif self.router == "learned":
            self.gate = Gate(routing, self.dim, kwargs.get("init_method_std", 0.01), data)
        self.has_balance = routing.has_balance
        if self.has_balance:
            self.balance = LoadBalance(routing.num_experts, data)
        if self.grouped and self.router == "modality":
            size = self.neurons[2]
            groups = [tuple((a * size, b * size) for a, b in runs(chosen)) for chosen, _ in expert_groups(routing)]
            self.by_group = cells(GroupedFeedForward, tuple(groups), self.dim, self.hidden_dim)
        elif self.grouped:
            self.by_expert = cells(ExpertFeedForward, routing.num_experts, self.dim, self.hidden_dim)
        self.on_cpu = runs_on_cpu()
        if self.on_cpu:
            self.all_neurons = cells(Neurons, self.dim, self.hidden_dim)
            self.output = cells(Product, wide=False)
            self.spread = P.MatMul()
            self.ones = Tensor(np.ones((1, self.neurons[2])), self.dtype)
        self.mask = P.Mul()
        self.only = P.Mul()
        self.weigh = P.Add()
        self.expand = P.Reshape()

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Any:
        """Returns y [b, s, d] for x [b, s, d] and the step's plan; with a load balance (y, balance float32 [])."""
        x = self.cast(x, self.dtype)
        if self.router == "learned":
            return self._learned(x, plan)
        if self.router == "modality":
            if self.grouped:
                return self.reshape(self.by_group(self.reshape(x, (-1, self.dim)), *self.weights(), plan), x.shape)
            return self.masked_output(self.neuron_outputs(x), plan[0], x.shape)
        experts = self.neuron_outputs(x)
        active = self.selector(experts, plan[0], plan[1])  # [t, e]
        if self.grouped:
            u = self.reshape(experts, (-1, self.hidden_dim))  # [t, e, f] -> [t, h]
            return self.reshape(self.by_expert.last_product(u, self.weights()[2], active), x.shape)
        return self.masked_output(experts, active, x.shape)

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns W1 [h, d], W3 [h, d] and W2 [d, h] in the type of the products."""
        w1, w3, w2 = self.w1.weight, self.w3.weight, self.w2.weight
        return self.cast(w1, self.dtype), self.cast(w3, self.dtype), self.cast(w2, self.dtype)

    def neuron_outputs(self, x: Tensor) -> Tensor:
        """Returns u [t, e, f] of all neurons for x [b, s, d]."""
        if self.on_cpu:
            w1, w3, _ = self.weights()
            return self.reshape(self.all_neurons(self.reshape(x, (-1, self.dim)), w1, w3)[0], self.neurons)
        return self.reshape(self.mul(self.w3(x), self.w1(x)), self.neurons)  # [b, s, h] -> [t, e, f]

    def masked_output(self, experts: Tensor, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Returns y of `shape` [b, s, d] from u [t, e, f] and the weight of each expert [t, e], 0 where not active."""
        weight = self.cast(weight, self.dtype)
        if self.on_cpu:
            # A factor that is one number for f neurons is spread by a product, which costs less than a broadcast.
            weight = self.spread(self.expand(weight, (-1, 1)), self.ones)  # [t, e] -> [t·e, f]
            u = self.mask(self.reshape(experts, weight.shape), weight)
            return self.reshape(self.output(self.reshape(u, (-1, self.hidden_dim)), self.weights()[2]), shape)
        weight = self.expand(weight, (-1, self.neurons[1], 1))  # [t, e] -> [t, e, 1]
        u = self.reshape(self.mask(experts, weight), (*shape[:-1], self.hidden_dim))  # [t, e, f] -> [b, s, h]
        return self.w2(u)

    def _learned(self, x: Tensor, plan: tuple[Tensor, ...]) -> Any:
        """Returns y [b, s, d]: the gate chooses before u is computed; with a load balance (y, balance)."""
        flat = self.reshape(x, (-1, self.dim))  # [b, s, d] -> [t, d]
        score, active, through = self.gate(flat, plan[0], plan[1])
        if self.grouped:
            y = self.reshape(self.by_expert(flat, *self.weights(), active, through), x.shape)
        else:
            active_weight = self.cast(active, mstype.float32)
            # The second product keeps experts that are not chosen at 0 without a gradient.
            weight = self.weigh(active_weight, self.only(through, active_weight))
            y = self.masked_output(self.neuron_outputs(x), weight, x.shape)
        if self.has_balance:
            return y, self.balance(score, active, plan[2])
        return y

    def shard(self, parallel_config: Any) -> None:
        """Splits the dense parts as Llama does; an expert's neurons stay on one device."""
        super().shard(parallel_config)
        data, model = parallel_config.data_parallel * parallel_config.context_parallel, parallel_config.model_parallel
        if self.neurons[1] % model:
            raise ValueError(
                f"num_experts ({self.neurons[1]}) must be a multiple of parallel_config.model_parallel ({model})"
            )
        self.mask.shard(((data, model, 1), (data, model, 1)))
        for operator in (self.only, self.weigh):
            operator.shard(((data, 1), (data, 1)))
