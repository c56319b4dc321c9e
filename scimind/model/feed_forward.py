"""The routed feed-forward: Llama's feed-forward, in which a token uses only the experts that the router selects."""

from __future__ import annotations

from typing import Any

import numpy as np
from mindspore import Tensor
from mindspore.ops import operations as P

from scimind.config.routing import RoutingSettings
from scimind.model._mindformers import LlamaFeedForward
from scimind.model.cpu.feed_forward import Neurons
from scimind.model.cpu.linear import Product
from scimind.model.routing.router import RouterSettings
from scimind.model.routing.routers import ROUTERS
from scimind.model.shared_cells import CellFactory, common_cells


class RoutedFeedForward(LlamaFeedForward):
    """Llama's feed-forward with routed experts.

        u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ)                  [t, h]
        y = (u ⊙ weight of each neuron's expert) · W2ᵀ  [t, d]

    Expert i owns neurons i·f … (i+1)·f; its weight is 0 for a token that does not use it. Masked dispatch computes all
    neurons, grouped dispatch skips those with weight 0. Parameters are Llama's, `w1.weight` and `w3.weight` [h, d] and
    `w2.weight` [d, h], and the router's.

    Args:
        routing: The routing settings.
        dispatch: "masked" or "grouped", see `chosen_dispatch`.
        kernels: "mindformers" or "cpu", see `chosen_kernels`.
        parallel_config: MindFormers' parallel configuration.
        cells: Factory of the cells that the model's layers share; by default the layer has its own.
        **kwargs: LlamaFeedForward's arguments.

    Source: SciMind (ACL 2024 workshop on Language + Molecules), the feed-forward of its released code.
    """

    def __init__(
        self,
        *,
        routing: RoutingSettings,
        dispatch: str,
        kernels: str,
        parallel_config: Any,
        cells: CellFactory | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parallel_config=parallel_config, **kwargs)
        cells = cells or common_cells()
        self.num_experts = routing.num_experts
        self.experts = (-1, routing.num_experts, self.hidden_dim // routing.num_experts)  # [t, e, f]
        self.has_balance = routing.has_balance
        self.is_grouped = dispatch == "grouped"
        # Named after the parameter of router `learned`, `feed_forward.gate.weight`.
        self.gate = ROUTERS[routing.router](
            RouterSettings(
                routing=routing,
                dim=self.dim,
                neurons=self.hidden_dim,
                dispatch=dispatch,
                kernels=kernels,
                cells=cells,
                parallel_config=parallel_config,
                init_method_std=kwargs.get("init_method_std", 0.01),
            )
        )
        self.on_cpu = kernels == "cpu"
        if self.on_cpu:
            self.all_neurons = cells(Neurons, self.dim, self.hidden_dim)
            self.output = cells(Product, wide=False)
            self.spread = P.MatMul()
            self.ones = Tensor(np.ones((1, self.experts[2])), self.dtype)
        self.mask = P.Mul()
        self.expand = P.Reshape()

    def construct(self, x: Tensor, plan: Any) -> Any:
        """Returns y [b, s, d] for x [b, s, d] and the step's plan; with a load balance, (y, balance float32 [])."""
        x = self.cast(x, self.dtype)
        flat = self.reshape(x, (-1, self.dim))  # [b, s, d] -> [t, d]
        if self.is_grouped:
            y, balance = self.gate.compute(flat, *self.weights(), plan)
            y = self.reshape(y, x.shape)
        else:
            u = self.neuron_outputs(x)
            weight, balance = self.gate.weigh(flat, u, plan)
            y = self.masked_output(u, weight, x.shape)
        return (y, balance) if self.has_balance else y

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns W1 [h, d], W3 [h, d] and W2 [d, h] in the type used for products."""
        w1, w3, w2 = self.w1.weight, self.w3.weight, self.w2.weight
        return self.cast(w1, self.dtype), self.cast(w3, self.dtype), self.cast(w2, self.dtype)

    def neuron_outputs(self, x: Tensor) -> Tensor:
        """Returns u [t, e, f] of all neurons for x [b, s, d]."""
        if self.on_cpu:
            w1, w3, _ = self.weights()
            return self.reshape(self.all_neurons(self.reshape(x, (-1, self.dim)), w1, w3)[0], self.experts)
        return self.reshape(self.mul(self.w3(x), self.w1(x)), self.experts)  # [b, s, h] -> [t, e, f]

    def masked_output(self, experts: Tensor, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Returns y of `shape` [b, s, d] from u [t, e, f] and the weight of each expert [t, e], 0 where not active."""
        weight = self.cast(weight, self.dtype)
        if self.on_cpu:
            # A factor with one number per f neurons is spread by a product, which is cheaper than a broadcast.
            weight = self.spread(self.expand(weight, (-1, 1)), self.ones)  # [t, e] -> [t·e, f]
            u = self.mask(self.reshape(experts, weight.shape), weight)
            return self.reshape(self.output(self.reshape(u, (-1, self.hidden_dim)), self.weights()[2]), shape)
        weight = self.expand(weight, (-1, self.num_experts, 1))  # [t, e] -> [t, e, 1]
        u = self.reshape(self.mask(experts, weight), (*shape[:-1], self.hidden_dim))  # [t, e, f] -> [b, s, h]
        return self.w2(u)

    def shard(self, parallel_config: Any) -> None:
        """Splits the dense parts as Llama does; an expert's neurons stay on one device."""
        super().shard(parallel_config)
        data, model = parallel_config.data_parallel * parallel_config.context_parallel, parallel_config.model_parallel
        if self.num_experts % model:
            raise ValueError(
                f"num_experts ({self.num_experts}) must be a multiple of parallel_config.model_parallel ({model})"
            )
        self.mask.shard(((data, model, 1), (data, model, 1)))
