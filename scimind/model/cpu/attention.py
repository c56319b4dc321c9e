"""Causal attention over whole sequences."""

from __future__ import annotations

from mindspore import Tensor, nn, ops
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.cpu.heads import Heads
from scimind.model.cpu.rotary import half_turn


class Attention(nn.Cell):
    """softmax(Q · Kᵀ / √p + mask) · V with rotary positions, heads first.

    With heads as the first axis, the mask, which is the same for all heads, is added as a bias along the other axes.
    The term that the gradient of the softmax subtracts from each row is Σ dO ⊙ O; it enters the product dO · Vᵀ as one
    more column. Queries are processed in blocks, each with the keys up to its end, since later keys are masked.

    Args:
        num_heads: n.
        num_kv_heads: n_kv; n is a multiple of it (grouped-query attention).
        head_dim: p.
        block: Approximate number of queries per block.

    Source: Attention Is All You Need (Vaswani et al., 2017), equation 1; the row term: FlashAttention (Dao et al.,
    2022), equation 4 of appendix B.
    """

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int, block: int = 128) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.repeats = num_heads // num_kv_heads
        self.block = block
        self.heads = Heads(head_dim)
        self.turn, self.turn_back = Tensor(half_turn(head_dim)), Tensor(half_turn(head_dim).T.copy())
        self.product = P.MatMul()
        self.scores = P.BatchMatMul(transpose_b=True)
        self.values = P.BatchMatMul()
        self.transposed = P.BatchMatMul(transpose_a=True)
        self.transpose = P.Transpose()
        self.reshape = P.Reshape()
        self.slice = P.Slice()
        self.add_mask = P.BiasAdd()
        self.softmax = P.Softmax()
        self.sum = P.ReduceSum(keep_dims=True)
        self.concat_columns = P.Concat(-1)
        self.concat_rows = P.Concat(1)
        self.tile = P.Tile()
        self.ones = P.Ones()
        self.zeros_like = P.ZerosLike()

    def construct(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        cosines_q: Tensor,
        sines_q: Tensor,
        cosines_k: Tensor,
        sines_k: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, ...]:
        """Returns the output [t, n·p] and the values that the gradient needs.

        Args:
            q: Queries [t, n·p].
            k: Keys [t, n_kv·p].
            v: Values [t, n_kv·p].
            cosines_q: From `RotaryTables`, like the next three, [t, n·p].
            sines_q: [t, n·p].
            cosines_k: [t, n_kv·p].
            sines_k: [t, n_kv·p].
            mask: Added to the scores [b, 1, s, s]; masks at least all positions after each query.
        """
        b, _, s, _ = mask.shape
        q = self._split(self._rotate(q, cosines_q, sines_q), b, self.num_heads)
        k = self._repeat(self._split(self._rotate(k, cosines_k, sines_k), b, self.num_kv_heads))
        v = self._repeat(self._split(v, b, self.num_kv_heads))
        outputs: tuple[Tensor, ...] = ()
        probabilities: tuple[Tensor, ...] = ()
        for start, end in blocks(s, self.block):
            scores = self.scores(self._rows(q, start, end), self._rows(k, 0, end))  # [n·b, m, end]
            bias = self.reshape(self.slice(mask, (0, 0, start, 0), (b, 1, end - start, end)), (-1,))
            hidden = self.add_mask(self.reshape(scores, (self.num_heads, -1)), bias)
            probability = self.softmax(self.reshape(hidden, scores.shape))
            outputs += (self.values(probability, self._rows(v, 0, end)),)
            probabilities += (probability,)
        return (self.heads.last(self._whole(outputs), self.num_heads), q, k, v, *probabilities)

    def bprop(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        cosines_q: Tensor,
        sines_q: Tensor,
        cosines_k: Tensor,
        sines_k: Tensor,
        mask: Tensor,
        out: tuple[Tensor, ...],
        dout: tuple[Tensor, ...],
    ) -> tuple[Tensor, ...]:
        """Returns the gradients of queries, keys and values, and zeros for tables and mask."""
        output, q, k, v = out[:4]
        change = dout[0]
        s = mask.shape[2]
        rows = self.sum(self.reshape(change * output, (-1, self.head_dim)), -1)  # [t·n, 1]
        rows = self.reshape(self.transpose(self.reshape(rows, (-1, self.num_heads)), (1, 0)), (-1, s, 1))
        change = self._split(change, mask.shape[0], self.num_heads)  # [n·b, s, p]
        wide_change = self.concat_columns((change, -rows))
        wide_v = self.concat_columns((v, self.ones((v.shape[0], s, 1), mstype.float32)))
        of_q: tuple[Tensor, ...] = ()
        of_k, of_v = (), ()
        # The last block covers all keys: the gradients of the other blocks are added to its own.
        for number in range(len(out) - 4):
            probability = out[len(out) - 1 - number]  # [n·b, m, end]
            end = probability.shape[2]
            start = end - probability.shape[1]
            part_v = self.transposed(probability, self._rows(change, start, end))
            of_weights = self.scores(self._rows(wide_change, start, end), self._rows(wide_v, 0, end))
            of_scores = probability * of_weights
            part_k = self.transposed(of_scores, self._rows(q, start, end))
            of_q = (self.values(of_scores, self._rows(k, 0, end)), *of_q)
            of_k = part_k if end == s else self._add_front(of_k, part_k)
            of_v = part_v if end == s else self._add_front(of_v, part_v)
        of_q = self._rotate_back(self.heads.last(self._whole(of_q), self.num_heads), cosines_q, sines_q)
        of_k = self.heads.last(self._add_repeats(of_k), self.num_kv_heads)
        of_v = self.heads.last(self._add_repeats(of_v), self.num_kv_heads)
        return (
            of_q,
            self._rotate_back(of_k, cosines_k, sines_k),
            of_v,
            self.zeros_like(cosines_q),
            self.zeros_like(sines_q),
            self.zeros_like(cosines_k),
            self.zeros_like(sines_k),
            self.zeros_like(mask),
        )

    def _rows(self, x: Tensor, start: int, end: int) -> Tensor:
        """Returns x[:, start:end] of x [n·b, s, p]; indexing would compile much more Python."""
        size = x.shape
        if end - start == size[1]:
            return x
        return self.slice(x, (0, start, 0), (size[0], end - start, size[2]))

    def _whole(self, parts: tuple[Tensor, ...]) -> Tensor:
        """Returns the concatenation of blocks [n·b, m, p]."""
        return parts[0] if len(parts) == 1 else self.concat_rows(parts)

    def _add_front(self, whole: Tensor, part: Tensor) -> Tensor:
        """Returns `whole` [n·b, s, p] with `part` [n·b, m, p] added to its first m rows."""
        end = part.shape[1]
        return self.concat_rows((self._rows(whole, 0, end) + part, self._rows(whole, end, whole.shape[1])))

    def _split(self, x: Tensor, b: int, heads: int) -> Tensor:
        """Returns x [t, heads·p] as [heads·b, s, p]."""
        return self.reshape(self.heads.first(x, heads), (heads * b, -1, self.head_dim))

    def _repeat(self, x: Tensor) -> Tensor:
        """Returns x [n_kv·b, s, p] repeated to [n·b, s, p]: neighbouring query heads share keys and values."""
        if self.repeats == 1:
            return x
        shared = self.tile(self.reshape(x, (self.num_kv_heads, 1, -1)), (1, self.repeats, 1))
        return self.reshape(shared, (-1, *x.shape[1:]))

    def _add_repeats(self, change: Tensor) -> Tensor:
        """Returns the gradient of `_repeat`'s input."""
        if self.repeats == 1:
            return change
        shared = self.reshape(change, (self.num_kv_heads, self.repeats, -1))
        total = shared[:, 0]
        for i in range(1, self.repeats):
            total = total + shared[:, i]
        return self.reshape(total, (-1, *change.shape[1:]))

    def _rotate(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Returns x [t, heads·p] rotated according to its position."""
        turned = self.reshape(self.product(self.reshape(x, (-1, self.head_dim)), self.turn), cosines.shape)
        return x * cosines + turned * sines

    def _rotate_back(self, change: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Returns the gradient of `_rotate`'s input."""
        turned = self.product(self.reshape(change * sines, (-1, self.head_dim)), self.turn_back)
        return change * cosines + self.reshape(turned, cosines.shape)


@ops.constexpr
def blocks(s: int, size: int) -> tuple[tuple[int, int], ...]:
    """Returns the half-open ranges into which `s` rows are divided, each of about `size` rows."""
    count = max(1, (s + size // 2) // size)
    return tuple((s * i // count, s * (i + 1) // count) for i in range(count))
