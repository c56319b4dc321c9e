"""What a batch of searches keeps: the rows of the decoder, the searches that run, and the drafts that are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.model import Ask, Draft, Drafted, Prefix, Search

T = TypeVar("T")


@dataclass
class Row:
    """A row of the decoder.

    Attributes:
        prompt: The tokens of its prompt.
        held: The tokens after the prompt whose keys and values the row holds.
    """

    prompt: Sequence[int]
    held: Prefix = ()

    def missing(self, prefix: Prefix) -> int:
        """Returns how many of the prefix's last tokens must be read to get the logits after it, at least 1."""
        if prefix[:-1] == self.held[: max(0, len(prefix) - 1)]:
            return 1
        return max(1, len(prefix) - common(self.held, prefix))

    def token_at(self, tokens: Sequence[int], place: int) -> int:
        """Returns the token at a place among those after the prompt; -1 is the prompt's last one."""
        return tokens[place] if place >= 0 else self.prompt[-1]


@dataclass
class Writing:
    """What a row of the decoder reads and writes for a search: known tokens first, then the most likely ones.

    Attributes:
        row: The row.
        tokens: The tokens after the prompt: the known ones, then those of the draft.
        given: Number of known tokens.
        place: The place in `tokens` of the token that is read next; -1 for the prompt's last one.
        most: Maximum number of tokens of the draft; 0 if only log-probabilities are wanted.
        draft: The draft so far.
        known: The log-probabilities after known tokens, by their number, as far as they were read; see `Drafted`.
        is_done: Whether it has ended.
    """

    row: Row
    tokens: list[int]
    given: int
    place: int
    most: int
    draft: list[Drafted] = field(default_factory=list)
    known: dict[int, NDArray[np.floating] | None] = field(default_factory=dict)
    is_done: bool = False

    @property
    def newest(self) -> int:
        """The token that is read next."""
        return self.row.token_at(self.tokens, self.place)

    @property
    def position(self) -> int:
        """The position of that token."""
        return len(self.row.prompt) + self.place

    @property
    def forced(self) -> list[int]:
        """The tokens that follow it and are known already."""
        return self.tokens[self.place + 1 : self.given]

    @property
    def left(self) -> int:
        """Number of steps to its longest end."""
        return len(self.forced) + max(1, self.most - len(self.draft))

    def take(self, steps: Sequence[Drafted], eos_id: int) -> int:
        """Takes what some steps say, and returns how many of their tokens are new.

        Args:
            steps: The token that follows each token that was read.
            eos_id: The token that ends an answer.
        """
        before = len(self.draft)
        for step in steps:
            self.place += 1
            if self.place <= self.given:
                self.known[self.place] = step.log_probs
            if self.place < len(self.tokens):
                continue
            if self.most:
                self.tokens.append(step.token)
                self.draft.append(step)
            ends = step.token == eos_id or len(self.draft) == self.most
            if ends or not np.isfinite(step.log_prob):
                self.is_done = True
                break
        self.row.held = tuple(self.tokens[: max(0, self.place)])
        return len(self.draft) - before


@dataclass
class Running(Generic[T]):
    """A search that has not ended.

    Attributes:
        search: The search.
        number: The place of its prompt among all.
        prompt: The tokens of its prompt.
        rows: The decoder's rows of this prompt, while it has some.
        first: The log-probabilities of an answer's first token [v], if they are known from reading the prompt.
        asked: What it asks; None before it has begun.
        replies: The log-probabilities after each prefix that it asks about; None for those that are not known yet.
        writing: What is being read or written for it.
    """

    search: Search[T]
    number: int
    prompt: Sequence[int]
    rows: range = range(0)
    first: NDArray[np.floating] | None = None
    asked: Ask | Draft | None = None
    replies: list[NDArray[np.floating] | None] = field(default_factory=list)
    writing: Writing | None = None

    @property
    def prefixes(self) -> Sequence[Prefix]:
        """The prefixes about which it asks."""
        if self.asked is None:
            return []
        return [self.asked.prefix] if isinstance(self.asked, Draft) else self.asked.prefixes

    @property
    def open(self) -> list[int]:
        """The places of the prefixes without a reply."""
        return [place for place, reply in enumerate(self.replies) if reply is None]

    def go_on(self, reply: Any) -> None:
        """Gives the search a reply; None begins it.

        Raises:
            StopIteration: It has ended; the value is its result.
            NotFinite: The model cannot be searched.
        """
        self.asked, self.writing = self.search.send(reply), None
        self.replies = [None] * len(self.prefixes)


def common(first: Prefix, second: Prefix) -> int:
    """Returns how many first tokens two prefixes share."""
    place = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        place += 1
    return place
