"""The networks that decode one more token per row, or several in one call."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from mindspore import Parameter, Tensor, nn
from mindspore.common import dtype as mstype
from mindspore.ops import operations as P

from scimind.model.decoding.cache import KeyValueCache, WriteTokens
from scimind.model.decoding.experts import GroupExperts, StepExperts
from scimind.model.decoding.rotary import StepRotary
from scimind.model.decoding.shared import DecodingParts
from scimind.model.routing.groups import group_table
from scimind.runtime.graph_cache import KeptGraph

HIDDEN = -1e9  # added to the scores of positions that a row must not attend to


class Step(nn.Cell):
    """Processes one token of each row and caches its keys and values.

    Args:
        parts: The model's components.
        cache: Keys and values.
        rows: b.
        experts: The feed-forward of each layer.
    """

    def __init__(
        self, parts: DecodingParts, cache: KeyValueCache, rows: int, experts: StepExperts | GroupExperts
    ) -> None:
        super().__init__(auto_prefix=False)
        self.parts, self.cache = parts, cache
        self.num_layers = len(parts.layers)
        self.kv_heads, self.head_dim = parts.num_kv_heads, parts.head_dim
        self.length = cache.shape[1]
        # The inputs' shapes give the number of rows, but neither the cache's length nor the experts.
        self.graph_key = parts.graph_key and f"{parts.graph_key} {self.length} {experts.name}"
        self.experts = experts
        self.rotary = StepRotary(parts.rotary)
        self.write = WriteTokens(cache.shape, parts.dtype)
        self.row_of = Tensor(np.repeat(np.arange(rows), self.kv_heads), mstype.int32)
        self.row_of_head = Tensor(np.repeat(np.arange(rows), parts.num_heads), mstype.int32)
        self.columns = Tensor(np.arange(self.length)[None], mstype.int32)
        self.gather = P.Gather()
        self.reshape = P.Reshape()
        self.scores = P.BatchMatMul(transpose_b=True)
        self.values = P.BatchMatMul()
        self.softmax = P.Softmax()
        self.slice = P.Slice()
        self.cast = P.Cast()
        self.sizes = parts.num_heads * self.head_dim, self.kv_heads * self.head_dim  # of queries; of keys and values

    def construct(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Returns float32 logits [v, b] for ids [b] at positions [b] int32."""
        parts, weights = self.parts, self.experts.weights
        x = parts.embed(ids)  # [b, d]
        turn = self.rotary(positions)
        plan = self.experts.plan(ids)
        places = self.write.at(self.gather(positions, self.row_of, 0))
        beyond = self.cast(self.columns > self.reshape(positions, (-1, 1)), mstype.float32) * HIDDEN  # [b, l]
        hidden = self.gather(beyond, self.row_of_head, 0)  # [b·n, l]
        for i in range(self.num_layers):
            layer = parts.layers[i]
            if weights.joins:
                q, k, v = self._turned(layer.project_by(x, weights.projections[i]), turn)
            else:
                q, k, v = layer.project(x)
                q, k = self.rotary.rotate(q, turn), self.rotary.rotate(k, turn)
            keys, values = self.write(self.cache.keys[i], places, k), self.write(self.cache.values[i], places, v)
            x, h = layer.attended(x, self._attend(q, keys, values, hidden))
            x = layer.layer.add_residual(x, self.experts.layers[i](h, plan))
        return parts.logits(x)

    def _turned(self, all_three: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Splits the concatenated projections; returns queries [b, n·p] and keys [b, n_kv·p], rotated, and values."""
        b, (of_queries, of_keys) = all_three.shape[0], self.sizes
        both = of_queries + of_keys
        turned = self.rotary.rotate(self.slice(all_three, (0, 0), (b, both)), turn)
        q, k = self.slice(turned, (0, 0), (b, of_queries)), self.slice(turned, (0, of_queries), (b, of_keys))
        return q, k, self.slice(all_three, (0, both), (b, of_keys))

    def _attend(self, q: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
        """Returns the attention's output [b, n·p] for q [b, n·p] over the cache [b·n_kv, l, p]."""
        rows = keys.shape[0]
        scores = self.scores(self.reshape(q, (rows, -1, self.head_dim)), keys)  # [b·n_kv, r, l]
        scores = self.cast(self.reshape(scores, (-1, self.length)), mstype.float32) + hidden
        probabilities = self.cast(self.softmax(scores), values.dtype)  # [b·n, l]
        out = self.values(self.reshape(probabilities, (rows, -1, self.length)), values)  # [b·n_kv, r, p]
        return self.reshape(out, q.shape)


class OneStep(KeptGraph, nn.Cell):
    """One step; the caller chooses the token from the logits.

    Args:
        step: The step.
    """

    is_steady = True

    def __init__(self, step: Step) -> None:
        super().__init__(auto_prefix=False)
        self.step, self.graph_key = step, step.graph_key
        self.transpose = P.Transpose()

    def construct(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Returns float32 logits [b, v] for ids [b] at positions [b] int32."""
        return self.transpose(self.step(ids, positions), (1, 0))


class GreedySteps(KeptGraph, nn.Cell):
    """Several steps in one call, each with the most likely token of the previous one.

    Args:
        step: The step.
        rows: b.
        most: Maximum number of steps per call.
    """

    is_steady = True

    def __init__(self, step: Step, rows: int, most: int) -> None:
        super().__init__(auto_prefix=False)
        self.step, self.graph_key = step, step.graph_key
        self.tokens = Parameter(Tensor(np.zeros((most, rows)), mstype.int32), name="tokens", requires_grad=False)
        zeros = Tensor(np.zeros((most, rows)), mstype.float32)
        self.judgements = Parameter(zeros, name="judgements", requires_grad=False)
        self.rows = rows
        self.ones = Tensor(np.ones((1, step.parts.vocab_size)), mstype.float32)
        self.total = P.MatMul()
        self.reshape = P.Reshape()
        self.cast = P.Cast()
        self.put = P.ScatterNdUpdate()
        self.largest = P.ArgMaxWithValue(0, keep_dims=True)  # the lower id wins a tie; faster than ReduceMax
        self.sum = P.ReduceSum()
        self.minimum = P.Minimum()
        self.group = step.experts.group
        if self.group >= 0:
            groups = group_table(step.parts.routing, step.parts.vocab_size)
            self.leaves = Tensor(groups != self.group, mstype.int32)  # [v]
            self.gather = P.Gather()

    def scores(self, logits: Tensor) -> Tensor:
        """Returns what the most likely token has most of [v, b]: here the logits themselves [v, b]."""
        return logits

    def judge(self, scores: Tensor, allowed: Tensor, best: Tensor, place: Tensor) -> Tensor:
        """Returns the sum of each row's scores [1, b], which is not finite if any of them is not.

        Args:
            scores: See `scores` [v, b].
            allowed: The same without tokens that are never generated.
            best: The largest of these [1, b].
            place: Where results of this step are kept [1, 1] int32.
        """
        return self.total(self.ones, allowed)

    def choose(self, best: Tensor, forced: Tensor, left: Tensor) -> Tensor:
        """Returns the tokens of a step [b]: here the most likely ones.

        Args:
            best: The most likely tokens [b].
            forced: Tokens that are taken instead [most, b], with the steps in reverse order; -1 for none.
            left: Number of steps left after this one [1].
        """
        return best

    def extra(self) -> Tensor:
        """Returns what `judge` keeps; here nothing, as the number 0."""
        return self.ones[0, 0]

    def construct(
        self,
        ids: Tensor,
        positions: Tensor,
        alive: Tensor,
        banned: Tensor,
        eos_id: Tensor,
        steps: Tensor,
        fewest: Tensor,
        forced: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns tokens int32 [most, b], `judge` of each float32 [most, b], steps left int32 [1], and `extra`.

        Those of the first step are at index `steps` - 1, those of the last step at the number of steps left. The
        loop ends after `steps`
        steps, or earlier if at most `fewest` rows continue or a row's token needs experts that the step does not have.
        A row's tokens after its EOS are meaningless.

        Args:
            ids: Newest token of each row [b] int32.
            positions: Its position [b] int32.
            alive: 1 for a row that continues, else 0 [b] int32.
            banned: Added to the logits [v, 1] float32; a large negative number for tokens that are never generated.
            eos_id: int32 [].
            steps: At least 1 and at most `most`, int32 [1].
            fewest: int32 [].
            forced: See `choose`.
        """
        left = steps + 0
        going = left > 0
        while going:
            scores = self.scores(self.step(ids, positions))
            allowed = scores + banned
            left = left - 1
            place = self.reshape(left, (1, 1))
            tokens, best = self.largest(allowed)
            ids = self.choose(self.cast(self.reshape(tokens, (-1,)), mstype.int32), forced, left)
            self.put(self.tokens, place, self.reshape(ids, (1, -1)))
            self.put(self.judgements, place, self.judge(scores, allowed, best, place))
            positions = positions + alive
            alive = alive * self.cast(ids != eos_id, mstype.int32)
            more = self.minimum(left, self.sum(alive) - fewest)
            if self.group >= 0:
                more = self.minimum(more, 1 - self.sum(self.gather(self.leaves, ids, 0) * alive))
            going = more > 0
        return self.tokens + 0, self.judgements + 0, left, self.extra()


class ScoredGreedySteps(GreedySteps):
    """The same with log-probabilities among all real tokens: that of the chosen token, and those of some others.

    Args:
        step: The step.
        rows: b.
        most: Maximum number of steps per call.
        candidates: Tokens whose log-probabilities are wanted, at least one [c].
    """

    def __init__(self, step: Step, rows: int, most: int, candidates: Sequence[int]) -> None:
        super().__init__(step, rows, most)
        self.graph_key = step.graph_key and f"{step.graph_key} {sha256(repr(candidates).encode()).hexdigest()}"
        self.candidates = Tensor(np.array(candidates), mstype.int32)
        zeros = Tensor(np.zeros((most, len(candidates), rows)), mstype.float32)
        self.log_probs = Parameter(zeros, name="log_probs", requires_grad=False)
        padding = np.arange(step.parts.vocab_size)[:, None] >= step.parts.real_vocab_size
        self.padding = Tensor(np.where(padding, np.finfo(np.float32).min, 0), mstype.float32)  # [v, 1]
        self.log_softmax = P.LogSoftmax(0)
        self.take = P.Gather()
        self.select = P.Select()

    def scores(self, logits: Tensor) -> Tensor:
        """Returns log-probabilities among the real tokens [v, b]."""
        return self.log_softmax(logits + self.padding)

    def judge(self, scores: Tensor, allowed: Tensor, best: Tensor, place: Tensor) -> Tensor:
        """Returns the log-probability of the most likely token [1, b], and keeps those of the candidates."""
        self.put(self.log_probs, place, self.reshape(self.take(scores, self.candidates, 0), (1, -1, self.rows)))
        return best

    def choose(self, best: Tensor, forced: Tensor, left: Tensor) -> Tensor:
        """Returns the tokens of a step [b]: the forced ones, else the most likely ones; see `GreedySteps.choose`."""
        wanted = self.reshape(self.take(forced, left, 0), (-1,))
        return self.select(wanted >= 0, wanted, best)

    def extra(self) -> Tensor:
        """Returns the log-probabilities of the candidates [most, c, b]."""
        return self.log_probs + 0
