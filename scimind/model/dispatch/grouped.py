"""Llama's feed-forward for tokens that use only some of its neurons; the others are not computed."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn
from mindspore.ops import operations as P

from scimind.model.dispatch.dense import DENSE_CELLS
from scimind.model.dispatch.experts import AddUp, TakeTokens, TokensOfExperts, UnitWeight
from scimind.model.dispatch.groups import Collect, Spread
from scimind.model.dispatch.neuron_slices import NeuronSlices


class GroupedFeedForward(nn.Cell):
    """The feed-forward of tokens in groups, each of which uses its own neurons.

    Args:
        groups: Each group's half-open runs of neurons; may be empty.
        inputs: d.
        neurons: h.
        kernels: "mindformers" or "cpu": the kernels of the products.
    """

    def __init__(self, groups: Sequence[Sequence[tuple[int, int]]], inputs: int, neurons: int, kernels: str) -> None:
        super().__init__()
        dense = DENSE_CELLS[kernels]
        sizes = [sum(last - first for first, last in runs) for runs in groups]
        used = [runs for runs in groups if runs]
        self.num_groups = len(groups)
        self.part = tuple(used.index(runs) if runs else -1 for runs in groups)
        self.rows, self.columns = NeuronSlices(used, neurons, 0), NeuronSlices(used, neurons, 1)
        self.groups = nn.CellList([dense.feed_forward(inputs, size) for size in sizes])
        self.collect, self.spread = Collect(), Spread()
        self.zeros_like = P.ZerosLike()

    def construct(
        self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, positions: tuple[Tensor, ...], places: Tensor
    ) -> Tensor:
        """Returns y [t, d].

        Args:
            x: [t, d].
            w1: [h, d].
            w3: [h, d].
            w2: [d, h].
            positions: Each group's tokens [n] int32, see `Collect`; not needed with one group.
            places: Each token's place in the concatenated groups [t] int32; likewise.
        """
        w1, w3, w2 = self.rows(w1), self.rows(w3), self.columns(w2)
        groups = (x,) if self.num_groups == 1 else self.collect(x, positions, places)[0]
        outputs: tuple[Tensor, ...] = ()
        for i in range(self.num_groups):
            part = self.part[i]
            if part < 0:
                outputs += (self.zeros_like(groups[i]),)
            else:
                outputs += (self.groups[i](groups[i], w1[part], w3[part], w2[part])[0],)
        return outputs[0] if self.num_groups == 1 else self.spread(outputs, positions, places)[0]


class ExpertFeedForward(nn.Cell):
    """The feed-forward of tokens that use several experts each, expert by expert.

    Args:
        num_experts: e.
        inputs: d.
        neurons: h.
        kernels: "mindformers" or "cpu": the kernels of the products.
    """

    def __init__(self, num_experts: int, inputs: int, neurons: int, kernels: str) -> None:
        super().__init__()
        dense = DENSE_CELLS[kernels]
        size = neurons // num_experts
        experts = [[(e * size, (e + 1) * size)] for e in range(num_experts)]
        self.num_experts, self.size = num_experts, size
        self.rows, self.columns = NeuronSlices(experts, neurons, 0), NeuronSlices(experts, neurons, 1)
        self.neurons = dense.neurons(inputs, size)
        self.output = dense.output()
        self.tokens, self.take, self.add_up = TokensOfExperts(num_experts), TakeTokens(), AddUp()
        self.weigh = UnitWeight()
        self.gather = P.Gather()
        self.minimum = P.Minimum()
        self.zeros_like = P.ZerosLike()
        self.zeros = P.Zeros()

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, active: Tensor, through: Tensor) -> Tensor:
        """Returns y [t, d].

        Args:
            x: [t, d].
            w1: [h, d].
            w3: [h, d].
            w2: [d, h].
            active: Active experts [t, e] bool.
            through: Zero, but with the gradient of an active expert's weight [t, e].
        """
        positions = self.tokens(active)
        w1, w3, w2 = self.rows(w1), self.rows(w3), self.columns(w2)
        groups = self.take(x, positions)[0]
        outputs: tuple[Tensor, ...] = ()
        for i in range(self.num_experts):
            tokens = self.minimum(positions[i], x.shape[0] - 1)
            u = self.neurons(groups[i], w1[i], w3[i])[0]
            outputs += (self.output(self.weigh(u, self.gather(through[:, i], tokens, 0)), w2[i]),)
        return self.add_up(outputs, positions, self.zeros_like(x))[0]

    def last_product(self, u: Tensor, w2: Tensor, active: Tensor) -> Tensor:
        """Returns y [t, d] from all neurons u [t, h], using each expert's part for its tokens only."""
        positions = self.tokens(active)
        w2 = self.columns(w2)
        outputs: tuple[Tensor, ...] = ()
        for i in range(self.num_experts):
            own = self.take(u[:, i * self.size : (i + 1) * self.size], (positions[i],))[0][0]
            outputs += (self.output(own, w2[i]),)
        return self.add_up(outputs, positions, self.zeros((u.shape[0], w2[0].shape[0]), u.dtype))[0]
