"""The interfaces that generation expects of a decoder, and a decoder of a model.

Shapes: b rows of the batch (padded to a bucket), s positions of the longest prompt (padded to a bucket), v vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class CausalModel(Protocol):
    """The part of SciMindForCausalLM that decoders use.

    The class itself is not imported: its `generate` calls this package, so that importing it would be a cycle.
    """

    config: Any
    model: Any
    lm_head: Any
    use_past: bool
    cached_decoder: Any

    def set_train(self, mode: bool) -> Any:
        """Switches between training and evaluation."""

    def get_parameters(self) -> Iterable[Any]:
        """Returns all parameters."""

    def add_flags_custom(self, is_first_iteration: bool) -> Any:
        """Sets whether the next call reads whole prompts or one more token of each row."""


class Decoder(Protocol):
    """Computes the next token's logits. One batch at a time: `prefill` discards the previous batch."""

    @property
    def max_length(self) -> int:
        """Number of positions that a prompt and its answer share."""

    def prefill(self, ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.floating]:
        """Reads a batch of prompts.

        Args:
            ids: [b, s], right-padded with 0.
            lengths: [b], tokens of each row, 1 … s.

        Returns:
            Logits [b, v] at each row's last token, that is at position `lengths - 1`.
        """

    def step(self, ids: NDArray[np.int32], positions: NDArray[np.int32]) -> NDArray[np.floating]:
        """Reads one more token of each row.

        Args:
            ids: [b], the token at `positions`.
            positions: [b], from 0. A finished row is read again at the same position; its logits are not used.

        Returns:
            Logits [b, v] at `positions`.
        """


@runtime_checkable
class GreedyDecoder(Decoder, Protocol):
    """A decoder that also chooses tokens itself, several at a time, and can drop or repeat rows of the batch."""

    def keep(self, rows: Sequence[int] | NDArray[np.int64]) -> None:
        """Continues with these rows of the batch, in this order; one that is named twice is there twice."""

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
        """Reads tokens as `step` does and returns the most likely ones that follow.

        Args:
            ids: [b], the token at `positions`.
            positions: [b], from 0.
            alive: [b], whether a row is unfinished; at least one is.
            steps: Maximum number of tokens per row, at least 1.
            fewest: Return early once this number of rows or fewer are unfinished.
            eos_id: The token that ends a row.
            vocab_size: Number of real tokens.
            never: Tokens that are not chosen.

        Returns:
            int32 [n, b], 1 ≤ n ≤ `steps`: a token for each step and row, -1 where the logits are not finite. Tokens
            after a row's end are meaningless.
        """

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
        """Returns the same tokens as `greedy` [n, b], their log-probabilities [n, b], and those of others [n, c, b].

        Log-probabilities are those among all real tokens, and not finite where the logits are not; the token is
        meaningless there.

        Args:
            ids: As in `greedy`, like the arguments that are not described here.
            candidates: Tokens whose log-probabilities are wanted at each place [c]; by default that of EOS.
            forced: Tokens that are taken in the first steps instead of the most likely ones [m, b]; -1 for none.
        """


@runtime_checkable
class CopyingDecoder(Decoder, Protocol):
    """A decoder that can copy what it has read from row to row; others read the tokens again."""

    def copy_rows(self, sources: Mapping[int, int], start: int, stop: int) -> None:
        """Gives rows what others have read at some positions.

        Args:
            sources: For each row that is overwritten, the row that is copied, as it was before.
            start: First position.
            stop: Position after the last one.
        """


@runtime_checkable
class LoadingDecoder(CopyingDecoder, GreedyDecoder, Protocol):
    """A decoder whose rows can be given to other prompts while the others continue."""

    def read(
        self, ids: NDArray[np.int32], lengths: NDArray[np.int32]
    ) -> tuple[NDArray[np.floating], Sequence[NDArray]]:
        """Reads prompts as `prefill` does, but leaves the batch as it is.

        Returns:
            Logits as those of `prefill`, and what it has read, for `load`: arrays whose first axis is b and whose third
            axis is s.
        """

    def begin(self, rows: int) -> None:
        """Begins a batch of rows that hold nothing yet."""

    def load(self, row: int, contents: Sequence[NDArray]) -> None:
        """Lets a row continue after a prompt.

        Args:
            row: The row.
            contents: What `read` has returned, of this prompt alone and up to its length, without the first axis.
        """
