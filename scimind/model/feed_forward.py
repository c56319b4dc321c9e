"""The routed feed-forward: Llama's, of which a token computes only the experts that its modality allows."""

from __future__ import annotations

from typing import Any

from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model._mindformers import LlamaFeedForward, LlamaSiLU
from scimind.model.gate import Gate, LoadBalance
from scimind.model.plan import Positions, expert_groups
from scimind.model.selection import ActivationSelector
from scimind.model.settings import RoutingSettings, runs


class RoutedFeedForward(LlamaFeedForward):
    """Llama's feed-forward with routed experts.

        u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ)                  [t, h]
        y = (u ⊙ active neurons) · W2ᵀ                  [t, d]

    Expert i owns neurons i·f … (i+1)·f. Parameters are Llama's: `w1.weight` and `w3.weight` [h, d], `w2.weight` [d, h].

    Args:
        routing: The settings.
        dispatch: "masked" or "grouped", see `chosen_dispatch`.
        parallel_config: MindFormers' parallel configuration.
        **kwargs: LlamaFeedForward's arguments.

    Source: SciMind (ACL 2024 workshop on Language + Molecules), the feed-forward of its released code.
    """

    def __init__(self, *, routing: RoutingSettings, dispatch: str, parallel_config: Any, **kwargs: Any) -> None:
        super().__init__(parallel_config=parallel_config, **kwargs)
        self.neurons = (-1, routing.num_experts, self.hidden_dim // routing.num_experts)  # [t, e, f]
        self.router = routing.router
        self.grouped = dispatch == "grouped"
        data, model = parallel_config.data_parallel, parallel_config.model_parallel
        sets = [[(e, e + 1)] for e in range(routing.num_experts)]
        if self.router == "modality":
            sets = [runs(chosen) for chosen, _ in expert_groups(routing)]
        elif self.router == "activation":
            self.selector = ActivationSelector(routing, data, model)
        else:
            std = kwargs.get("init_method_std", 0.01)
            self.gate = Gate(routing, self.dim, std, data)
        self.has_balance = routing.has_balance
        if self.has_balance:
            self.balance = LoadBalance(routing.num_experts, data)
        sets = sets if self.grouped else []
        self.groups = nn.CellList([ExpertGroup(self.neurons[2], chosen, self.dtype) for chosen in sets])
        self.num_groups = len(self.groups)
        self.mask = P.Mul()
        self.only = P.Mul()
        self.weigh = P.Add()
        self.expand = P.Reshape()
        self.zeros = P.Zeros()
        self.positions = Positions()
        self.rows = P.Concat(0)

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Any:
        """Returns y [b, s, d] for x [b, s, d] and the step's plan; with a load balance (y, balance float32 [])."""
        x = self.cast(x, self.dtype)
        if self.router == "learned":
            return self._learned(x, plan)
        if self.router == "modality":
            if self.grouped:
                return self.reshape(self._by_group(self.reshape(x, (-1, self.dim)), plan), x.shape)
            return self.masked_output(self.neuron_outputs(x), plan[0], x.shape)
        experts = self.neuron_outputs(x)
        active = self.selector(experts, plan[0], plan[1])  # [t, e]
        if self.grouped:
            return self.reshape(self._by_expert(experts, active), x.shape)
        return self.masked_output(experts, active, x.shape)

    def neuron_outputs(self, x: Tensor) -> Tensor:
        """Returns u [t, e, f] of all neurons for x [b, s, d]."""
        return self.reshape(self.mul(self.w3(x), self.w1(x)), self.neurons)  # [b, s, h] -> [t, e, f]

    def masked_output(self, experts: Tensor, weight: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Returns y of `shape` [b, s, d] from u [t, e, f] and the weight of each expert [t, e], 0 where not active."""
        weight = self.expand(self.cast(weight, self.dtype), (-1, self.neurons[1], 1))  # [t, e] -> [t, e, 1]
        u = self.reshape(self.mask(experts, weight), (*shape[:-1], self.hidden_dim))  # [t, e, f] -> [b, s, h]
        return self.w2(u)

    def _learned(self, x: Tensor, plan: tuple[Tensor, ...]) -> Any:
        """Returns y [b, s, d]: the gate chooses before u is computed; with a load balance (y, balance)."""
        flat = self.reshape(x, (-1, self.dim))  # [b, s, d] -> [t, d]
        score, active, through = self.gate(flat, plan[0], plan[1])
        if self.grouped:
            y = self.reshape(self._by_chosen(flat, active, through), x.shape)
        else:
            active_weight = self.cast(active, mstype.float32)
            # The second product keeps experts that are not chosen at 0 without a gradient.
            weight = self.weigh(active_weight, self.only(through, active_weight))
            y = self.masked_output(self.neuron_outputs(x), weight, x.shape)
        if self.has_balance:
            return y, self.balance(score, active, plan[2])
        return y

    def _by_chosen(self, x: Tensor, active: Tensor, through: Tensor) -> Tensor:
        """Returns y [t, d]: each expert's rows of the weights for the tokens that chose it alone."""
        x = self._with_padding_row(x)
        weight = self._with_padding_row(self.cast(through + 1.0, self.dtype))  # [t + 1, e]
        y = self.zeros(x.shape, self.dtype)
        for i in range(self.num_groups):
            positions = self.positions(active[:, i])
            w1, w3, w2 = self.w1.weight, self.w3.weight, self.w2.weight
            y = self.groups[i].from_input(y, x, positions, w1, w3, w2, weight[:, i : i + 1])
        return y[:-1]

    def _by_group(self, x: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [t, d]: each group's tokens through its experts' rows of the weights alone."""
        x = self._with_padding_row(x)
        y = self.zeros(x.shape, self.dtype)
        for i in range(self.num_groups):
            y = self.groups[i].from_input(y, x, plan[i], self.w1.weight, self.w3.weight, self.w2.weight)
        return y[:-1]

    def _by_expert(self, experts: Tensor, active: Tensor) -> Tensor:
        """Returns y [t, d] from u [t, e, f]: each expert's part of the last product for the tokens that use it."""
        tokens = experts.shape[0]
        experts = self._with_padding_row(experts)
        y = self.zeros((tokens + 1, self.dim), self.dtype)
        for i in range(self.num_groups):
            y = self.groups[i].from_neurons(y, experts[:, i], self.positions(active[:, i]), self.w2.weight)
        return y[:-1]

    def _with_padding_row(self, x: Tensor) -> Tensor:
        """Returns x [t, …] with a row of zeros behind: the one token of a group that has none, see `Positions`."""
        return self.rows((x, self.zeros((1, *x.shape[1:]), self.dtype)))

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


class ExpertGroup(nn.Cell):
    """Experts that the same tokens use: runs of neurons, computed for those tokens only.

    Args:
        size: f, neurons of an expert.
        expert_runs: Half-open runs of experts.
        compute_dtype: Type of the products.
    """

    def __init__(self, size: int, expert_runs: list[tuple[int, int]], compute_dtype: mstype) -> None:
        super().__init__()
        self.spans = tuple((first * size, last * size) for first, last in expert_runs)
        self.dtype = compute_dtype
        self.gather = P.Gather()
        self.product = P.MatMul(transpose_b=True)
        self.silu = LlamaSiLU()
        self.cast = P.Cast()
        self.column = P.ExpandDims()
        self.put = P.TensorScatterAdd()

    def from_input(
        self, y: Tensor, x: Tensor, positions: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, weight: Any = None
    ) -> Tensor:
        """Returns y [t, d] with the group's output added for the tokens at `positions` [n].

        Args:
            y: [t, d].
            x: Input [t, d].
            positions: [n] int32.
            w1: [h, d].
            w3: [h, d].
            w2: [d, h].
            weight: What each token's output is multiplied by [t, 1]; None for nothing.
        """
        x = self.gather(x, positions, 0)  # [t, d] -> [n, d]
        if weight is not None:
            weight = self.gather(weight, positions, 0)  # [t, 1] -> [n, 1]
        for first, last in self.spans:
            gate = self.silu(self.product(x, self.cast(w1[first:last], self.dtype)))
            u = gate * self.product(x, self.cast(w3[first:last], self.dtype))  # [n, span]
            if weight is not None:
                u = u * weight
            out = self.product(u, self.cast(w2[:, first:last], self.dtype))  # [n, d]
            y = self.put(y, self.column(positions, 1), out)
        return y

    def from_neurons(self, y: Tensor, u: Tensor, positions: Tensor, w2: Tensor) -> Tensor:
        """Returns y [t, d] with the group's part of the last product added; u is [t, f]."""
        u = self.gather(u, positions, 0)  # [t, f] -> [n, f]
        for first, last in self.spans:
            y = self.put(y, self.column(positions, 1), self.product(u, self.cast(w2[:, first:last], self.dtype)))
        return y
