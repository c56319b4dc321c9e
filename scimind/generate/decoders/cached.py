"""A model as a decoder with a cache, on a CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from mindspore import Tensor
from mindspore.common import dtype as mstype
from numpy.typing import NDArray

from scimind.generate.buckets import bucket_for, length_buckets
from scimind.generate.decoders.protocols import CausalModel
from scimind.model.decoding.experts import GroupExperts, StepExperts, small_groups
from scimind.model.decoding.prompt import PromptNetwork
from scimind.model.decoding.shared import DecodingParts
from scimind.model.decoding.steps import HIDDEN, GreedySteps, KeyValueCache, OneStep, ScoredGreedySteps, Step
from scimind.model.routing.groups import group_table

SHORTEST_CACHE = 128
MOST_STEPS = 64
MOST_SCORED_STEPS = 8
_NEVER = -1e30
_NOTHING = np.full((1, 1), -1, np.int32)


class _Choice(NamedTuple):
    """How tokens are chosen; see `GreedyDecoder.greedy`."""

    steps: int
    fewest: int
    eos_id: int
    vocab_size: int
    never: Sequence[int]


class CachedDecoder:
    """Decodes with keys and values kept from step to step.

    Graphs are compiled for a few shapes and serve every batch: the cache's length is a bucket, and grows to the next
    bucket when a row reaches its end.

    Args:
        model: The model; its parameters are shared, so that changing them changes the answers.

    Attributes:
        copied: Names of the experts whose weights were copied for the current batch; see `StepWeights`.
    """

    def __init__(self, model: CausalModel) -> None:
        model.set_train(False)
        self.model = model
        self.max_length = model.config.seq_length
        self.batch_size = model.config.batch_size
        self._parts = DecodingParts(model)
        self._prompt = PromptNetwork(self._parts)
        self._lengths = length_buckets(self.max_length, SHORTEST_CACHE)
        self._experts = StepExperts(self._parts)
        routing = self._parts.routing
        self._group_experts = {group: GroupExperts(self._parts, group) for group in small_groups(routing)}
        self._group_of = group_table(routing, self._parts.vocab_size) if self._group_experts else None  # [v]
        self._graphs: dict[tuple[int, int], _Graphs] = {}
        self._parameters = list(model.get_parameters())
        self._addresses: list[int] = []
        self._at = self._place(1, 1)
        self.copied: set[str] = set()

    def prefill(self, ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.float32]:
        """Empties the cache; returns logits [b, v] after each row of `ids` [b, s], right-padded, of `lengths` [b]."""
        self._start_anew()
        logits, kept = self._read(ids, lengths)
        self._at = self._place(len(ids), int(lengths.max()))
        self._at.fill([tensor.asnumpy() for tensor in kept])
        return logits.asnumpy()

    def read(self, ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> tuple[NDArray[np.float32], list[NDArray]]:
        """Returns logits after prompts, keys and values, each [b, n_kv, s, p], and leaves the cache as it is."""
        logits, kept = self._read(ids, lengths)
        contents = [tensor.asnumpy().reshape(len(ids), -1, *tensor.shape[1:]) for tensor in kept]
        return logits.asnumpy(), contents

    def begin(self, rows: int) -> None:
        """Begins a batch of rows that hold nothing yet."""
        self._start_anew()
        self._at = self._place(rows, 1)

    def load(self, row: int, contents: Sequence[NDArray]) -> None:
        """Replaces what the cache holds for a row by keys and values [n_kv, n, p] of n tokens."""
        number = contents[0].shape[1]
        self._reach(number - 1)
        for cache, content in zip(self._at.contents(), contents, strict=True):  # views, as in `copy_rows`
            place = cache.reshape(self._at.rows, -1, *cache.shape[1:])[row]
            place[:, :number], place[:, number:] = content, 0  # see `_Graphs.fill`

    def step(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> NDArray[np.float32]:
        """Returns logits [b, v] after one more token per row: `ids` [b] at `positions` [b], from 0."""
        self._reach(int(positions.max()))
        experts = self._experts_for(ids)
        self._copy_weights(experts)
        return self._at.one_step(experts)(Tensor(ids, mstype.int32), Tensor(positions, mstype.int32)).asnumpy()

    def keep(self, rows: Sequence[int] | NDArray[np.int64]) -> None:
        """Continues with only these rows of the batch, in this order."""
        kept = [cache.reshape(self._at.rows, -1, *cache.shape[1:])[rows] for cache in self._at.contents()]
        self._at = self._place(len(rows), self._at.length)
        self._at.fill([cache.reshape(-1, *cache.shape[2:]) for cache in kept])

    def greedy(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        alive: NDArray[np.bool_],
        *,
        steps: int,
        fewest: int,
        eos_id: int,
        vocab_size: int,
        never: Sequence[int] = (),
    ) -> NDArray[np.int32]:
        """Returns the most likely next tokens of each row; see `GreedyDecoder`."""
        choice = _Choice(steps, fewest, eos_id, vocab_size, never)
        tokens, sums, _ = self._greedy(ids, positions, alive, choice)
        return np.where(np.isfinite(sums), tokens, -1)

    def scored_greedy(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        alive: NDArray[np.bool_],
        *,
        steps: int,
        fewest: int,
        eos_id: int,
        vocab_size: int,
        never: Sequence[int] = (),
        candidates: Sequence[int] = (),
        forced: NDArray[np.int32] | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        """Returns the most likely next tokens of each row and log-probabilities; see `GreedyDecoder`."""
        choice = _Choice(steps, fewest, eos_id, vocab_size, never)
        return self._greedy(ids, positions, alive, choice, tuple(candidates) or (eos_id,), forced)

    def copy_rows(self, sources: Mapping[int, int], start: int, stop: int) -> None:
        """Gives rows the keys and values of others at positions `start` … `stop` - 1; see `CopyingDecoder`."""
        stop = min(stop, self._at.length)
        to, of = list(sources), list(sources.values())
        for cache in self._at.contents():  # views of what the graphs read and write
            rows = cache.reshape(self._at.rows, -1, *cache.shape[1:])
            rows[to, :, start:stop] = rows[of, :, start:stop]

    def _start_anew(self) -> None:
        """Prepares for a batch with weights that training may have changed."""
        self._follow_parameters()
        self.copied.clear()

    def _read(self, ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Returns logits [b, v] after prompts, and their keys and values."""
        s = ids.shape[1]
        repeats = self._parts.num_heads // self._parts.num_kv_heads
        mask = np.tile(np.triu(np.full((s, s), HIDDEN, np.float32), 1).reshape(-1), repeats)
        return self._prompt(Tensor(ids, mstype.int32), Tensor(lengths, mstype.int32), Tensor(mask))

    def _greedy(
        self,
        ids: NDArray[np.int32],
        positions: NDArray[np.int32],
        alive: NDArray[np.bool_],
        choice: _Choice,
        candidates: tuple[int, ...] = (),
        forced: NDArray[np.int32] | None = None,
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        """Returns tokens [n, b], their judgements [n, b] and what else is kept, in the order of the steps.

        Args:
            ids: See `GreedyDecoder.greedy`, as for the next two.
            positions: [b].
            alive: [b].
            choice: How tokens are chosen.
            candidates: Tokens whose log-probabilities are wanted [c]; empty for none at all.
            forced: See `GreedyDecoder.scored_greedy`.
        """
        self._reach(int(positions.max()))  # rows that wait are written, too
        last = int(positions[alive].max())
        most = MOST_SCORED_STEPS if candidates else MOST_STEPS
        steps = min(choice.steps, most, self._at.length - last)
        banned = np.zeros((self.model.config.vocab_size, 1), np.float32)
        banned[choice.vocab_size :] = banned[list(choice.never)] = _NEVER
        experts = self._experts_for(ids[alive])
        self._copy_weights(experts)
        tokens, judgements, left, extra = self._at.greedy_steps(experts, candidates)(
            Tensor(ids, mstype.int32),
            Tensor(positions, mstype.int32),
            Tensor(alive, mstype.int32),
            Tensor(banned),
            Tensor(choice.eos_id, mstype.int32),
            Tensor([steps], mstype.int32),
            Tensor(choice.fewest, mstype.int32),
            Tensor(self._reversed(forced, steps, len(ids)) if candidates else _NOTHING),
        )
        made = slice(int(left.asnumpy()[0]), steps)  # they come in reverse order
        kept = extra.asnumpy()
        return tokens.asnumpy()[made][::-1], judgements.asnumpy()[made][::-1], kept[made][::-1] if kept.ndim else kept

    @staticmethod
    def _reversed(forced: NDArray[np.int32] | None, steps: int, rows: int) -> NDArray[np.int32]:
        """Returns forced tokens in the reverse order of the steps [MOST_SCORED_STEPS, rows], -1 for none."""
        placed = np.full((MOST_SCORED_STEPS, rows), -1, np.int32)
        if forced is not None:
            taken = forced[:steps]
            placed[steps - len(taken) : steps] = taken[::-1]
        return placed

    def _experts_for(self, ids: NDArray[np.int32]) -> StepExperts | GroupExperts:
        """Returns a small group's experts if all `ids` are tokens of that group, otherwise all experts."""
        if self._group_of is None:
            return self._experts
        groups = np.unique(self._group_of[ids])
        return self._group_experts.get(int(groups[0]), self._experts) if len(groups) == 1 else self._experts

    def _copy_weights(self, experts: StepExperts | GroupExperts) -> None:
        """Copies the weights that a step with these experts reads, once per batch."""
        if experts.weights.are_copies and experts.name not in self.copied:
            experts.weights().asnumpy()  # waits
            self.copied.add(experts.name)

    def _follow_parameters(self) -> None:
        """Drops all graphs if a parameter's data has been replaced, since a graph with a loop keeps the old data.

        A training step writes into the existing data, which every graph sees.
        """
        addresses = [parameter.data_ptr() for parameter in self._parameters]
        if addresses != self._addresses:
            self._graphs.clear()
            self._addresses = addresses

    def _reach(self, position: int) -> None:
        """Moves to a longer cache if `position` is past the end of this one."""
        if position >= self._at.length:
            contents = self._at.contents()
            self._at = self._place(self._at.rows, position + 1)
            self._at.fill(contents)

    def _place(self, rows: int, length: int) -> _Graphs:
        """Returns the graphs for `rows` and a cache of at least `length`."""
        length = bucket_for(length, self._lengths)
        if (rows, length) not in self._graphs:
            self._graphs[rows, length] = _Graphs(self._parts, rows, length)
        return self._graphs[rows, length]


class _Graphs:
    """A cache and the networks that use it, each built on first use.

    Args:
        parts: The parts of the model.
        rows: b.
        length: Length of the cache.
    """

    def __init__(self, parts: DecodingParts, rows: int, length: int) -> None:
        self.parts, self.rows, self.length = parts, rows, length
        self._cache: KeyValueCache | None = None
        self._one: dict[int, OneStep] = {}
        self._greedy: dict[tuple[int, tuple[int, ...]], GreedySteps] = {}

    @property
    def cache(self) -> KeyValueCache:
        """Keys and values."""
        if self._cache is None:
            shape = (self.rows * self.parts.num_kv_heads, self.length, self.parts.head_dim)
            self._cache = KeyValueCache(len(self.parts.layers), shape, self.parts.dtype, self.parts.graph_key)
        return self._cache

    def one_step(self, experts: StepExperts | GroupExperts) -> OneStep:
        """Returns the network of one step with these experts."""
        if experts.group not in self._one:
            self._one[experts.group] = OneStep(Step(self.parts, self.cache, self.rows, experts))
        return self._one[experts.group]

    def greedy_steps(self, experts: StepExperts | GroupExperts, candidates: tuple[int, ...]) -> GreedySteps:
        """Returns the network of several steps with these experts, and with the log-probabilities of candidates."""
        place = experts.group, candidates
        if place not in self._greedy:
            step = Step(self.parts, self.cache, self.rows, experts)
            self._greedy[place] = (
                ScoredGreedySteps(step, self.rows, MOST_SCORED_STEPS, candidates)
                if candidates
                else GreedySteps(step, self.rows, MOST_STEPS)
            )
        return self._greedy[place]

    def contents(self) -> list[NDArray]:
        """Returns keys and values of each layer [b·n_kv, l, p] in turn."""
        pairs = zip(self.cache.keys, self.cache.values, strict=True)
        return [parameter.asnumpy() for pair in pairs for parameter in pair]

    def fill(self, contents: Sequence[NDArray]) -> None:
        """Replaces all keys and values with `contents`, cut to the cache's length or padded with zeros to it."""
        filled = []
        for content in contents:
            # Zeros, since a weight of 0 does not hide a number that is not finite.
            longer = np.zeros(self.cache.shape, content.dtype)
            end = min(content.shape[1], self.length)
            longer[:, :end] = content[:, :end]
            filled.append(Tensor(longer))
        self.cache(*filled).asnumpy()  # waits
