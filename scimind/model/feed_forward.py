"""The routed feed-forward: Llama's, of which a token computes only the experts that its modality allows."""

from __future__ import annotations

from typing import Any

import numpy as np
from mindspore import Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model._mindformers import LlamaFeedForward, LlamaSiLU
from scimind.model.plan import Positions, expert_groups
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
        self.by_modality = routing.router == "modality"
        self.grouped = dispatch == "grouped"
        if self.by_modality:
            sets = [chosen for chosen, _ in expert_groups(routing)] if self.grouped else []
            self.groups = nn.CellList([ExpertGroup(self.neurons[2], runs(chosen), self.dtype) for chosen in sets])
        else:
            self.selector = ActivationSelector(routing, parallel_config.data_parallel, parallel_config.model_parallel)
            sums = [ExpertGroup(self.neurons[2], [(e, e + 1)], self.dtype) for e in range(routing.num_experts)]
            self.groups = nn.CellList(sums if self.grouped else [])
        self.num_groups = len(self.groups)
        self.mask = P.Mul()
        self.expand = P.Reshape()
        self.zeros = P.Zeros()
        self.positions = Positions()
        self.rows = P.Concat(0)

    def construct(self, x: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [b, s, d] for x [b, s, d] and the step's plan."""
        shape = x.shape
        x = self.cast(x, self.dtype)
        if self.by_modality and self.grouped:
            return self.reshape(self._by_group(self.reshape(x, (-1, self.dim)), plan), shape)
        u = self.mul(self.w3(x), self.w1(x))  # [b, s, h]
        experts = self.reshape(u, self.neurons)  # [b, s, h] -> [t, e, f]
        active = plan[0] if self.by_modality else self.selector(experts, plan[0], plan[1])  # [t, e]
        if self.grouped:
            return self.reshape(self._by_expert(experts, active), shape)
        active = self.expand(self.cast(active, self.dtype), (-1, self.neurons[1], 1))  # [t, e] -> [t, e, 1]
        u = self.reshape(self.mask(experts, active), u.shape)  # [t, e, f] -> [b, s, h]
        return self.w2(u)

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


class ActivationSelector(nn.Cell):
    """Chooses each token's k experts of the highest score, and its shared ones. Has no parameters and no gradient.

    Args:
        routing: The settings.
        data_parallel: Ways in which tokens are split.
        model_parallel: Ways in which neurons are split.
    """

    def __init__(self, routing: RoutingSettings, data_parallel: int = 1, model_parallel: int = 1) -> None:
        super().__init__()
        self.kind = routing.score
        e = routing.num_experts
        self.rows, self.columns = (-1, e, 1), (-1, 1, e)
        # [1, e, e]: 1 where the column's expert comes before the row's, to which a tie goes.
        self.before = Tensor(np.tril(np.ones((1, e, e)), -1), mstype.bool_)
        self.cast = P.Cast()
        self.reshape = P.Reshape()
        self.stop_gradient = P.StopGradient()
        self.absolute = P.Abs()
        self.square = P.Square()
        self.sum = P.ReduceSum()
        self.count = P.ReduceSum()
        self.greater = P.Greater()
        self.equal = P.Equal()
        self.tie = P.LogicalAnd()
        self.beats = P.LogicalOr()
        self.less = P.Less()
        self.either = P.LogicalOr()
        data, model = data_parallel, model_parallel
        self.absolute.shard(((data, model, 1),))
        self.square.shard(((data, model, 1),))
        self.sum.shard(((data, model, 1),))
        for pairwise in (self.greater, self.equal):
            pairwise.shard(((data, 1, 1), (data, 1, 1)))
        self.tie.shard(((data, 1, 1), (1, 1, 1)))
        self.beats.shard(((data, 1, 1), (data, 1, 1)))
        self.count.shard(((data, 1, 1),))
        self.less.shard(((data, 1), (data, 1)))
        self.either.shard(((data, 1), (data, 1)))

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
        score = self.sum(u, -1)  # [t, e, f] -> [t, e]
        mine, other = self.reshape(score, self.rows), self.reshape(score, self.columns)  # [t, e, 1], [t, 1, e]
        # An expert's rank is the number of those that beat it: a comparison of all pairs needs no sort, has a static
        # shape, and sends a tie to the lower expert on every device.
        beaten = self.beats(self.greater(other, mine), self.tie(self.equal(other, mine), self.before))  # [t, e, e]
        rank = self.count(self.cast(beaten, mstype.float32), -1)  # [t, e, e] -> [t, e]
        return self.either(self.less(rank, self.cast(k, mstype.float32)), shared)


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

    def from_input(self, y: Tensor, x: Tensor, positions: Tensor, w1: Tensor, w3: Tensor, w2: Tensor) -> Tensor:
        """Returns y [t, d] with the group's output added for the tokens at `positions` [n]; x is [t, d]."""
        x = self.gather(x, positions, 0)  # [t, d] -> [n, d]
        for first, last in self.spans:
            gate = self.silu(self.product(x, self.cast(w1[first:last], self.dtype)))
            u = gate * self.product(x, self.cast(w3[first:last], self.dtype))  # [n, span]
            out = self.product(u, self.cast(w2[:, first:last], self.dtype))  # [n, d]
            y = self.put(y, self.column(positions, 1), out)
        return y

    def from_neurons(self, y: Tensor, u: Tensor, positions: Tensor, w2: Tensor) -> Tensor:
        """Returns y [t, d] with the group's part of the last product added; u is [t, f]."""
        u = self.gather(u, positions, 0)  # [t, f] -> [n, f]
        for first, last in self.spans:
            y = self.put(y, self.column(positions, 1), self.product(u, self.cast(w2[:, first:last], self.dtype)))
        return y
