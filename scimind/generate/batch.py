"""A batch during decoding: the state of each row, the choice of the next tokens, and the removal of finished rows.

Shapes: b rows, n tokens of a row, v vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scimind.generate.decoders.protocols import Decoder, GreedyDecoder
from scimind.generate.sampling import next_tokens
from scimind.generate.settings import GenerationSettings

FinishReason = Literal["stop", "length", "completed", "shortened", "error"]


@dataclass
class Generated:
    """A generated answer.

    Attributes:
        ids: Its tokens, without EOS.
        finish_reason: "stop" at EOS, "length" at `max_new_tokens` or at the model's last position, "completed" or
            "shortened" by a search, see `search.model.Found`, "error" otherwise.
        message: What went wrong; empty unless `finish_reason` is "error".
    """

    ids: list[int] = field(default_factory=list)
    finish_reason: FinishReason = "length"
    message: str = ""

    def add(self, token: int, eos_id: int, limit: int) -> bool:
        """Adds the next token.

        Args:
            token: The token, or -1 if none could be chosen.
            eos_id: The token that ends an answer.
            limit: Maximum length of the answer, at least 1.

        Returns:
            Whether the answer continues.
        """
        if token < 0:
            self.finish_reason = "error"
            self.message = "the model's logits are not finite numbers; check its weights and its compute type"
            return False
        if token == eos_id:
            self.finish_reason = "stop"
            return False
        self.ids.append(token)
        return len(self.ids) < limit


@dataclass
class BatchRow:
    """A batch row that holds a prompt.

    Attributes:
        prompt: Its token ids.
        answer: The answer so far.
        limit: Maximum length of the answer.
        generator: Random numbers for this prompt only.
    """

    prompt: Sequence[int]
    answer: Generated
    limit: int
    generator: np.random.Generator


class RunningBatch:
    """Decodes rows until each has its answer.

    Args:
        decoder: The model.
        rows: The rows with a prompt; the rows after them in the decoder's batch are padding.
        settings: Greedy or sampled.
        eos_id: The token that ends an answer.
        vocab_size: Number of real tokens.
        never: Tokens that are never generated.
        shrink_to: Numbers of rows to which the decoder's batch may shrink, ascending.
    """

    def __init__(
        self,
        decoder: Decoder,
        rows: Sequence[BatchRow],
        settings: GenerationSettings,
        *,
        eos_id: int,
        vocab_size: int,
        never: Sequence[int],
        shrink_to: Sequence[int] = (),
    ) -> None:
        self.decoder = decoder
        self.settings = settings
        self.eos_id, self.vocab_size, self.never = eos_id, vocab_size, never
        chooser = decoder if isinstance(decoder, GreedyDecoder) else None
        self._shrink_to = () if chooser is None else shrink_to
        self._chooser = None if settings.do_sample or settings.repetition_penalty != 1.0 else chooser
        self._rows = list(rows)

    def run(
        self, ids: NDArray[np.int32], lengths: NDArray[np.int32], on_step: Callable[[int], None] | None = None
    ) -> None:
        """Answers the prompts.

        Args:
            ids: [b, s], right-padded.
            lengths: [b].
            on_step: Called from time to time with the number of tokens generated since the previous call.
        """
        self._active = np.arange(len(ids)) < len(self._rows)  # [b]
        self._positions = lengths - 1  # [b], position of each row's newest token
        self._newest = ids[np.arange(len(ids)), self._positions]  # [b]
        tokens = self._choose(self.decoder.prefill(ids, lengths))
        while True:
            taken = sum(self._take(step) for step in tokens)
            if on_step is not None:
                on_step(taken)
            if not self._active.any():
                return
            self._shrink()
            tokens = self._continue()

    def _take(self, tokens: NDArray[np.int32]) -> int:
        """Adds one of `tokens` [b] to each unfinished row, and returns the number of those rows."""
        going = np.flatnonzero(self._active)
        for number in going:
            row, token = self._rows[number], int(tokens[number])
            self._active[number] = row.answer.add(token, self.eos_id, row.limit)
            if self._active[number]:
                self._newest[number] = token
                self._positions[number] += 1
        return len(going)

    def _continue(self) -> NDArray[np.int32]:
        """Returns the next tokens [n, b]."""
        newest, positions = self._newest.copy(), self._positions.copy()  # a decoder may keep its inputs
        if self._chooser is None:
            return self._choose(self.decoder.step(newest, positions))
        going = [self._rows[number] for number in np.flatnonzero(self._active)]
        return self._chooser.greedy(
            newest,
            positions,
            self._active.copy(),
            steps=max(row.limit - len(row.answer.ids) for row in going),
            fewest=max((size for size in self._shrink_to if size < len(newest)), default=0),
            eos_id=self.eos_id,
            vocab_size=self.vocab_size,
            never=self.never,
        )

    def _choose(self, logits: NDArray[np.floating]) -> NDArray[np.int32]:
        """Returns the tokens [1, b] that follow from logits [b, v]."""
        going = np.flatnonzero(self._active)
        rows = [self._rows[number] for number in going]
        penalised = self.settings.repetition_penalty != 1.0
        tokens = np.full((1, len(logits)), -1, np.int32)
        tokens[0, going] = next_tokens(
            np.asarray(logits)[going],
            self.settings,
            vocab_size=self.vocab_size,
            generators=[row.generator for row in rows],
            never=self.never,
            histories=[[*row.prompt, *row.answer.ids] for row in rows] if penalised else (),
        )
        return tokens

    def _shrink(self) -> None:
        """Drops finished rows if the others fit into a smaller batch."""
        going = np.flatnonzero(self._active)
        size = next((size for size in self._shrink_to if len(going) <= size < len(self._active)), None)
        if size is None:
            return
        # The unfinished rows come first; finished ones fill up the batch and are padding from now on.
        kept = [*going, *np.flatnonzero(~self._active)[: size - len(going)]]
        self._rows = [self._rows[number] for number in going]
        self._active, self._positions, self._newest = self._active[kept], self._positions[kept], self._newest[kept]
        assert isinstance(self.decoder, GreedyDecoder)
        self.decoder.keep(kept)
