"""The loss over the vocabulary."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.cpu.attention import blocks

_MOST_BLOCKS = 8  # each one is compiled


class AnswerLoss(nn.Cell):
    """Weighted mean of −log softmax(x · Wᵀ)[label].

    Rows are processed in blocks, and a block's part of the gradient is computed together with its loss: all that it
    needs from later operators is one factor. So only one block's logits exist at a time, and none are kept. There are
    no one-hot labels. Row weights are folded into the smaller factors of the gradients' products.

    Args:
        block: Approximate number of logits per block, 16 MiB of float32; larger if that would take more than 8 blocks.

    Source: gradient with the loss, in blocks: Liger Kernel (Hsu et al., 2024), FusedLinearCrossEntropy.
    """

    def __init__(self, block: int = 2**22) -> None:
        super().__init__()
        self.block = block
        self.product = P.MatMul(transpose_b=True)
        self.to_input = P.MatMul()
        self.to_weight = P.MatMul(transpose_a=True)
        self.transpose = P.Transpose()
        self.softmax = P.Softmax()
        self.largest = P.ArgMaxWithValue(axis=1)  # several times faster than ReduceMax
        self.pick = P.GatherNd()
        self.subtract_at = P.TensorScatterSub()
        self.log = P.Log()
        self.sum = P.ReduceSum()
        self.stack = P.Stack(axis=1)
        self.concat = P.Concat(0)
        self.maximum = P.Maximum()
        self.cast = P.Cast()
        self.zero = Tensor(0, mstype.int32)
        self.reshape = P.Reshape()
        self.slice = P.Slice()
        self.depend = P.Depend()
        self.ones_like = P.OnesLike()
        self.zeros_like = P.ZerosLike()

    def construct(self, x: Tensor, weight: Tensor, labels: Tensor, row_weight: Tensor) -> tuple[Tensor, ...]:
        """Returns the loss, float32 [1], and its gradients with respect to x [t, d] and the weight [v, d].

        Args:
            x: Hidden states [t, d].
            weight: Output embedding [v, d].
            labels: The correct tokens [t] int32; any number where the row's weight is 0.
            row_weight: Weight of each row's loss [t].
        """
        share = row_weight / (self.sum(row_weight) + 1e-8)
        labels = self.maximum(self.cast(labels, mstype.int32), self.zero)
        loss, of_weight = 0.0, 0.0  # [d, v]
        of_x: tuple[Tensor, ...] = ()
        t, d = x.shape
        for start, end in blocks(t, rows_of_block(t, weight.shape[0], self.block)):
            # One block after another: each waits for the gradient of the previous one, if there is one.
            before = of_weight if self.training else loss
            part = self.slice(self.depend(x, before) if start else x, (start, 0), (end - start, d))
            part_share = self.slice(share, (start,), (end - start,))
            rows = numbers(end - start)
            places = self.stack((rows, self.slice(labels, (start,), (end - start,))))
            logits = self.product(part, weight)
            probability = self.softmax(logits)
            # log Σ exp(logits) from the row's largest logit, whose probability of at least 1 / v cannot underflow.
            at_largest, largest = self.largest(logits)
            at_largest = self.stack((rows, self.cast(at_largest, mstype.int32)))
            losses = largest - self.log(self.pick(probability, at_largest)) - self.pick(logits, places)
            loss = loss + self.sum(losses * part_share)
            scale = self.reshape(part_share, (-1, 1))
            change = self.subtract_at(probability, places, self.ones_like(losses))
            of_x += (self.to_input(change, weight) * scale,)
            of_weight = of_weight + self.to_weight(part * scale, change)
        return self.reshape(loss, (1,)), self.concat(of_x), self.transpose(of_weight, (1, 0))

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
        return out[1] * dout[0], out[2] * dout[0], self.zeros_like(labels), self.zeros_like(row_weight)


@ops.constexpr
def numbers(count: int) -> Tensor:
    """Returns 0 … count − 1, int32 [count]."""
    return Tensor(np.arange(count), mstype.int32)


@ops.constexpr
def rows_of_block(rows: int, vocab_size: int, block: int) -> int:
    """Returns the approximate number of rows per block."""
    return max(block // vocab_size, -(-rows // _MOST_BLOCKS))
