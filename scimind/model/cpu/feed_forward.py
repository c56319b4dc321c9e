"""Llama's feed-forward in plain operators, for tokens that use some of its neurons."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Tensor, nn
from mindspore.ops import operations as P
from mindspore.ops.auto_generate import SigmoidGrad

from scimind.model.cpu.experts import AddUp, TakeTokens, TokensOfExperts, UnitWeight
from scimind.model.cpu.grouping import Collect, Parts, Spread
from scimind.model.cpu.linear import Product


class Neurons(nn.Cell):
    """u = silu(x · W1ᵀ) ⊙ (x · W3ᵀ), with a gradient that keeps a and b alone.

        g = a ⊙ σ(a),  u = g ⊙ b                                       a = x · W1ᵀ,  b = x · W3ᵀ
        da = du ⊙ b ⊙ (σ(a) + a ⊙ σ′(a)),  db = du ⊙ g

    Args:
        inputs: d.
        neurons: h, rows of both weights.

    Source: GLU Variants Improve Transformer (Shazeer, 2020), equation 6.
    """

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.product = Product(wide=is_slow_left(neurons, inputs))
        self.sigmoid = P.Sigmoid()
        self.sigmoid_slope = SigmoidGrad()
        self.to_input = P.MatMul()
        self.depend = P.Depend()

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor) -> tuple[Tensor, ...]:
        """Returns u [t, h] of x [t, d], w1 [h, d] and w3 [h, d]; and what the gradient needs."""
        a = self.product(x, w1)
        gate = a * self.sigmoid(a)
        b = self.product(self.depend(x, gate), w3)  # not before the sigmoid is gone, which is as large
        return gate * b, a, b

    def bprop(
        self, x: Tensor, w1: Tensor, w3: Tensor, out: tuple[Tensor, ...], dout: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the gradients of x and of both weights."""
        _, a, b = out
        gate, slope = self.again(a, dout[0])
        return self.gradients(x, w1, w3, dout[0] * b * slope, dout[0] * gate)

    def again(self, a: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """Returns g and ∂g/∂a [t, h], computed again: kept, each would take as much memory as u.

        What depends on the gradient `change` is not merged with the first time by the compiler, which would keep it.
        """
        sigmoid = self.sigmoid(self.depend(a, change))
        return a * sigmoid, self.sigmoid_slope(sigmoid, a) + sigmoid

    def gradients(self, x: Tensor, w1: Tensor, w3: Tensor, of_a: Tensor, of_b: Tensor) -> tuple[Tensor, ...]:
        """Returns the gradients of x and of both weights for those of a and b."""
        of_x = self.to_input(of_a, w1) + self.to_input(of_b, w3)
        return of_x, self.product.weight_gradient(x, of_a), self.product.weight_gradient(x, of_b)


class WholeFeedForward(nn.Cell):
    """y = u · W2ᵀ with u of `Neurons`, which is not kept for the gradient.

    Args:
        inputs: d.
        neurons: h.
    """

    def __init__(self, inputs: int, neurons: int) -> None:
        super().__init__()
        self.neurons, self.output = Neurons(inputs, neurons), Product(wide=False)

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor) -> tuple[Tensor, ...]:
        """Returns y [t, d] of x [t, d], w1 [h, d], w3 [h, d] and w2 [d, h]; and what the gradient needs."""
        u, a, b = self.neurons(x, w1, w3)
        return self.output(u, w2), a, b

    def bprop(
        self,
        x: Tensor,
        w1: Tensor,
        w3: Tensor,
        w2: Tensor,
        out: tuple[Tensor, ...],
        dout: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Returns the gradients of x and of the weights."""
        _, a, b = out
        change = self.output.to_input(dout[0], w2)
        gate, slope = self.neurons.again(a, change)
        of_w2 = self.output.weight_gradient(gate * b, dout[0])
        return *self.neurons.gradients(x, w1, w3, change * b * slope, change * gate), of_w2


class GroupedFeedForward(nn.Cell):
    """The feed-forward of tokens in groups, each of which uses its own neurons.

    Args:
        groups: Each group's half-open runs of neurons; none at all is allowed.
        inputs: d.
        neurons: h.
    """

    def __init__(self, groups: Sequence[Sequence[tuple[int, int]]], inputs: int, neurons: int) -> None:
        super().__init__()
        sizes = [sum(last - first for first, last in runs) for runs in groups]
        used = [runs for runs in groups if runs]
        self.num_groups = len(groups)
        self.part = tuple(used.index(runs) if runs else -1 for runs in groups)
        self.rows, self.columns = Parts(used, neurons, 0), Parts(used, neurons, 1)
        self.groups = nn.CellList([WholeFeedForward(inputs, size) for size in sizes])
        self.collect, self.spread = Collect(), Spread()
        self.zeros_like = P.ZerosLike()

    def construct(self, x: Tensor, w1: Tensor, w3: Tensor, w2: Tensor, plan: tuple[Tensor, ...]) -> Tensor:
        """Returns y [t, d].

        Args:
            x: [t, d].
            w1: [h, d].
            w3: [h, d].
            w2: [d, h].
            plan: The groups' positions and the tokens' places (`scimind.model.routing.plan.TokenGroups`).
        """
        w1, w3, w2 = self.rows(w1), self.rows(w3), self.columns(w2)
        groups = (x,) if self.num_groups == 1 else self.collect(x, plan[:-1], plan[-1])[0]
        found: tuple[Tensor, ...] = ()
        for i in range(self.num_groups):
            part = self.part[i]
            if part < 0:
                found += (self.zeros_like(groups[i]),)
            else:
                found += (self.groups[i](groups[i], w1[part], w3[part], w2[part])[0],)
        return found[0] if self.num_groups == 1 else self.spread(found, plan[:-1], plan[-1])[0]


class ExpertFeedForward(nn.Cell):
    """The feed-forward of tokens that use several experts each, expert by expert.

    Args:
        num_experts: e.
        inputs: d.
        neurons: h.
    """

    def __init__(self, num_experts: int, inputs: int, neurons: int) -> None:
        super().__init__()
        size = neurons // num_experts
        experts = [[(e * size, (e + 1) * size)] for e in range(num_experts)]
        self.num_experts, self.size = num_experts, size
        self.rows, self.columns = Parts(experts, neurons, 0), Parts(experts, neurons, 1)
        self.neurons = Neurons(inputs, size)
        self.output = Product(wide=False)
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
            through: Zero, with the gradient of an active expert's weight [t, e].
        """
        positions = self.tokens(active)
        w1, w3, w2 = self.rows(w1), self.rows(w3), self.columns(w2)
        groups = self.take(x, positions)[0]
        found: tuple[Tensor, ...] = ()
        for i in range(self.num_experts):
            tokens = self.minimum(positions[i], x.shape[0] - 1)
            u = self.neurons(groups[i], w1[i], w3[i])[0]
            found += (self.output(self.weigh(u, self.gather(through[:, i], tokens, 0)), w2[i]),)
        return self.add_up(found, positions, self.zeros_like(x))[0]

    def last_product(self, u: Tensor, w2: Tensor, active: Tensor) -> Tensor:
        """Returns y [t, d] from all neurons u [t, h]: each expert's part for the tokens that use it."""
        positions = self.tokens(active)
        w2 = self.columns(w2)
        found: tuple[Tensor, ...] = ()
        for i in range(self.num_experts):
            own = self.take(u[:, i * self.size : (i + 1) * self.size], (positions[i],))[0][0]
            found += (self.output(own, w2[i]),)
        return self.add_up(found, positions, self.zeros((u.shape[0], w2[0].shape[0]), u.dtype))[0]


def is_slow_left(columns: int, others: int) -> bool:
    """Returns whether a matrix of `columns` is the wrong left factor of xᵀ · y, where y has `others` columns.

    The rows of a transposed left factor are read down their columns. Where they lie a multiple of 4 KiB apart they fall
    on the same lines of the cache, and the wider factor suffers more.
    """
    return columns % 1024 == 0 and columns > others
