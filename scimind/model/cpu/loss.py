"""The loss over the vocabulary."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.cpu.linear import Product


class AnswerLoss(nn.Cell):
    """Weighted mean of −log softmax(x · Wᵀ)[label].

    The softmax is computed once, for the loss and for its gradient; nothing is one-hot. Row weights are folded into the
    smaller factors of the gradients' products.
    """

    def __init__(self) -> None:
        super().__init__()
        self.product = P.MatMul(transpose_b=True)
        self.to_input = P.MatMul()
        self.head = Product(wide=True)
        self.softmax = P.Softmax()
        self.largest = P.ArgMaxWithValue(axis=1)  # several times as fast as ReduceMax
        self.pick = P.GatherNd()
        self.subtract_at = P.TensorScatterSub()
        self.log = P.Log()
        self.sum = P.ReduceSum()
        self.stack = P.Stack(axis=1)
        self.maximum = P.Maximum()
        self.cast = P.Cast()
        self.zero = Tensor(0, mstype.int32)
        self.reshape = P.Reshape()
        self.ones_like = P.OnesLike()
        self.zeros_like = P.ZerosLike()

    def construct(self, x: Tensor, weight: Tensor, labels: Tensor, row_weight: Tensor) -> tuple[Tensor, ...]:
        """Returns the loss, float32 [1], and what the gradient needs.

        Args:
            x: Hidden states [t, d].
            weight: Output embedding [v, d].
            labels: The right tokens [t] int32; any number where the row's weight is 0.
            row_weight: Weight of each row's loss [t].
        """
        logits = self.product(x, weight)
        places = self.places(labels)
        probability = self.softmax(logits)
        # log Σ exp(logits) from the row's largest, whose probability is at least 1 / v: it cannot underflow.
        at_largest, largest = self.largest(logits)
        total = largest - self.log(self.pick(probability, self.places(at_largest)))
        losses = total - self.pick(logits, places)
        return self.reshape(self.sum(losses * row_weight) / (self.sum(row_weight) + 1e-8), (1,)), probability, places

    def bprop(
        self,
        x: Tensor,
        weight: Tensor,
        labels: Tensor,
        row_weight: Tensor,
        out: tuple[Tensor, ...],
        dout: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Returns the gradients of the hidden states and of the output embedding, and zeros for the rest."""
        scale = self.reshape(row_weight * (dout[0] / (self.sum(row_weight) + 1e-8)), (-1, 1))  # [t, 1]
        change = self.subtract_at(out[1], out[2], self.ones_like(row_weight))  # [t, v]
        of_weight = self.head.weight_gradient(x * scale, change)
        return self.to_input(change, weight) * scale, of_weight, self.zeros_like(labels), self.zeros_like(row_weight)

    def places(self, labels: Tensor) -> Tensor:
        """Returns row and column of each label in the logits [t, 2]."""
        return self.stack((numbers(labels.shape[0]), self.maximum(self.cast(labels, mstype.int32), self.zero)))


@ops.constexpr
def numbers(count: int) -> Tensor:
    """Returns 0 … count − 1, int32 [count]."""
    return Tensor(np.arange(count), mstype.int32)
