"""What generation asks of a decoder, and a decoder of a model.

Shapes: b rows of the batch (padded to a bucket), s positions of the longest prompt (padded to a bucket), v vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class CausalModel(Protocol):
    """A SciMindForCausalLM, as far as decoders use it.

    The class itself is not named: its `generate` calls this package, and must not be imported by it.
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
        """Says whether the next call reads whole prompts or one more token of each row."""


class Decoder(Protocol):
    """Gives the next token's logits. One batch at a time: a `prefill` forgets the batch before it."""

    @property
    def max_length(self) -> int:
        """Positions that a prompt and its answer share."""

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
            ids: [b], the token that stands at `positions`.
            positions: [b], from 0. A row that has finished keeps asking at one and the same position; its logits are
                not used.

        Returns:
            Logits [b, v] at `positions`.
        """


@runtime_checkable
class GreedyDecoder(Decoder, Protocol):
    """A decoder that also chooses tokens itself, several at a time, and lets rows leave the batch."""

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these rows of the batch alone, in this order."""

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
            ids: [b], the token that stands at `positions`.
            positions: [b], from 0.
            alive: [b], whether a row goes on; at least one does.
            steps: Most tokens of a row, at least 1.
            fewest: Return early once as few rows as this go on.
            eos_id: The token that ends a row.
            vocab_size: Number of real tokens.
            never: Tokens that are not chosen.

        Returns:
            int32 [n, b], 1 ≤ n ≤ `steps`: a token for each step and row, -1 where the logits are not finite. What a row
            has behind its end means nothing.
        """
