"""What a search needs, what it asks of the model, and what it finds.

A search is a generator: it yields `Ask` or `Draft`, receives what a decoder answers, and returns what it has found.
So the searches of many prompts can share one decoder, which answers all that are waiting in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from scimind.generate.validity.tokens import TokenRule

T = TypeVar("T")
Prefix = tuple[int, ...]

WORK = 2
"""Model steps for each token of the longest answer that was tried, after which the search completes what it has.

With 4, answers of the quickstart's model have a Morgan similarity of 0.387, not 0.376, and take 1.2 times as long.
"""

ATTEMPTS = 64
"""Samples that are drawn for each answer that is wanted, at most."""

SearchReason = Literal["stop", "length", "completed", "shortened"]


class Ask(NamedTuple):
    """Asks for the log-probabilities [v] of the token after each of some prefixes; the reply is a list of arrays.

    Attributes:
        prefixes: First tokens of answers.
    """

    prefixes: Sequence[Prefix]


class Drafted(NamedTuple):
    """A token of a draft.

    Attributes:
        token: The most likely one that the rule may accept.
        log_prob: Its log-probability.
        log_probs: The log-probabilities of all of `Problem.tokens` at its place, in their order [c]; None if the
            decoder does not say, so that it must be asked again.
    """

    token: int
    log_prob: float
    log_probs: NDArray[np.floating] | None = None


class Draft(NamedTuple):
    """Asks what the model writes after a prefix if each token is its most likely one among the rule's.

    The reply is a list of `Drafted`, EOS perhaps the last, which may be shorter than asked for; it is empty if the
    decoder does not draft.

    Attributes:
        prefix: The first tokens of an answer.
        most: Maximum number of tokens, EOS included.
    """

    prefix: Prefix
    most: int


Search = Generator[Ask | Draft, Any, T]


@dataclass(frozen=True)
class Found:
    """An answer that the rule accepts.

    Attributes:
        ids: Its tokens, without EOS.
        log_likelihood: Logarithm of its probability as the whole answer, EOS included, in nats; without EOS where the
            answer was cut at the limit.
        finish_reason: "stop" where the model ended it; "length" where it was cut at the limit, which only answers
            without a rule are; "completed" where the rule added its last tokens, or "shortened" where it was cut at an
            accepted place, after the budget of work had ended.
        key: What is equal for answers that mean the same, such as a canonical SMILES.
    """

    ids: Prefix
    log_likelihood: float
    finish_reason: SearchReason
    key: Hashable


class NotFinite(ArithmeticError):
    """The model's log-probabilities are not numbers."""

    def __init__(self) -> None:
        super().__init__("the model's logits are not finite numbers; check its weights and its compute type")


@dataclass
class Problem:
    """What is searched: answers of a model to one prompt, under a rule.

    Attributes:
        rule: What an answer may be.
        eos_id: The token that ends an answer.
        limit: Maximum number of tokens, without EOS.
        work: See `WORK`.
        lead: The first tokens, which every answer keeps; they are scored, but not chosen.
        cuts: Whether an answer that reaches the limit ends there, without EOS.
        steps: Number of prefixes that the model was asked about so far.
    """

    rule: TokenRule
    eos_id: int
    limit: int
    work: int = WORK
    lead: Sequence[int] = ()
    cuts: bool = False
    steps: int = 0
    _begun: int = 0
    _share: int = 1
    _longest: int = 0

    def begin(self, answers: int = 1) -> None:
        """Begins a new budget of work.

        Args:
            answers: The number of answers that are searched for together.
        """
        self._begun, self._share, self._longest = self.steps, answers, 0

    def ask(self, prefixes: Sequence[Prefix], *, counted: bool = True) -> Search[list[NDArray[np.floating]]]:
        """Returns the log-probabilities [v] after each prefix.

        Args:
            prefixes: First tokens of answers.
            counted: Whether this is new work; False for prefixes that a draft has passed through.

        Raises:
            NotFinite: The largest of them is not a finite number.
        """
        if counted:
            self.count(prefixes)
        found = yield Ask(prefixes)
        for log_probs in found:
            if not np.isfinite(log_probs.max()):
                raise NotFinite
        return found

    def count(self, prefixes: Sequence[Prefix]) -> None:
        """Counts one step for each prefix."""
        self.steps += len(prefixes)
        self._longest = max(self._longest, *map(len, prefixes))

    @property
    def has_budget(self) -> bool:
        """Whether more steps may be taken."""
        return self.steps - self._begun < self.work * self._share * (self._longest + 1)

    @cached_property
    def _tokens(self) -> NDArray[np.int64] | None:
        return None if self.rule.tokens is None else np.unique([*self.rule.tokens, self.eos_id])

    def tokens(self, size: int) -> NDArray[np.int64]:
        """Returns the tokens that may ever follow, EOS among them, ascending, of a vocabulary of `size` tokens."""
        return np.arange(size) if self._tokens is None else self._tokens

    def extend(self, state: Any, used: int, token: int) -> Any | None:
        """Returns the state after a token, None if it is refused or what it needs exceeds the limit.

        Args:
            state: The rule's state of an answer.
            used: Its number of tokens.
            token: A token other than EOS.
        """
        longer = self.rule.extend(state, token)
        if longer is None or used + 1 + self.rule.shortest_end(longer) > self.limit:
            return None
        return longer

    def is_cut(self, ids: Sequence[int]) -> bool:
        """Returns whether an answer ends here because it has reached the limit."""
        return self.cuts and len(ids) == self.limit

    def root(self) -> Search[tuple[Prefix, Any, float] | None]:
        """Returns the tokens, the state and the log-likelihood that every answer begins with, None if it is refused."""
        lead, state = tuple(self.lead), self.rule.start()
        for used, token in enumerate(lead):
            state = self.extend(state, used, token)
            if state is None:
                return None
        total = 0.0
        if lead:
            following = yield from self.ask([lead[:used] for used in range(len(lead))])
            total = sum(float(log_probs[token]) for log_probs, token in zip(following, lead, strict=True))
        return lead, state, total

    def found(self, ids: Sequence[int], state: Any, log_likelihood: float, reason: SearchReason = "stop") -> Found:
        """Returns an accepted answer as a result."""
        return Found(tuple(map(int, ids)), float(log_likelihood), reason, self.rule.key(state))


def run(
    search: Search[T],
    next_log_probs: Callable[[Prefix], NDArray[np.floating]],
    draft: Callable[[Draft], list[Drafted]] = lambda asked: [],
) -> T:
    """Returns what a search finds with a function in the place of a decoder.

    Args:
        search: The search.
        next_log_probs: Returns the log-probabilities [v] of the token after an answer's first tokens.
        draft: Replies to `Draft`; by default it does not.
    """
    reply: Any = None
    while True:
        try:
            asked = search.send(reply)
        except StopIteration as end:
            return end.value
        reply = draft(asked) if isinstance(asked, Draft) else [next_log_probs(prefix) for prefix in asked.prefixes]
