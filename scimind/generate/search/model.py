"""The model as the search sees it, with its work counted, and what the search finds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scimind.generate.validity.tokens import TokenRule

NextLogProbs = Callable[[Sequence[int]], NDArray[np.floating]]
"""Returns the log-probabilities [v] of the token after an answer's first tokens."""

WORK = 64
"""Model steps for each token of the longest answer that was tried, after which the search completes what it has."""

SearchReason = Literal["stop", "completed", "shortened"]


@dataclass(frozen=True)
class Found:
    """An answer that the rule accepts.

    Attributes:
        ids: Its tokens, without EOS.
        log_likelihood: Logarithm of its probability as the whole answer, EOS included, in nats.
        finish_reason: "stop" where the model ended it; "completed" where the rule added its last tokens, or
            "shortened" where it was cut at an accepted place, after the budget of work had ended.
        key: What is equal for answers that mean the same, such as a canonical SMILES.
    """

    ids: tuple[int, ...]
    log_likelihood: float
    finish_reason: SearchReason
    key: Hashable


class NotFinite(ArithmeticError):
    """The model's log-probabilities are not numbers."""


@dataclass
class Problem:
    """What is searched: answers of a model under a rule.

    Attributes:
        next_log_probs: The model after one prompt. It must be a function: the same tokens, the same result.
        rule: What an answer may be.
        eos_id: The token that ends an answer.
        limit: Maximum number of tokens, without EOS.
        work: See `WORK`.
        lead: The first tokens, which every answer keeps; they are scored, but not chosen.
        steps: Number of calls of the model so far.
    """

    next_log_probs: NextLogProbs
    rule: TokenRule
    eos_id: int
    limit: int
    work: int = WORK
    lead: Sequence[int] = ()
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

    def log_probs(self, ids: Sequence[int]) -> NDArray[np.float64]:
        """Returns the log-probabilities [v] after `ids` and counts one step.

        Raises:
            NotFinite: The largest of them is not a finite number.
        """
        self.steps += 1
        self._longest = max(self._longest, len(ids))
        found = np.asarray(self.next_log_probs(ids), np.float64)
        if not np.isfinite(found.max()):
            raise NotFinite("the model's log-probabilities are not finite numbers")
        return found

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

    def candidates(self, log_probs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Returns `tokens`, the most likely first and the lower id on a tie."""
        ids = self.tokens(len(log_probs))
        return ids[np.argsort(-log_probs[ids], kind="stable")]

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

    def root(self) -> tuple[tuple[int, ...], Any, float] | None:
        """Returns the tokens, the state and the log-likelihood that every answer begins with, None if it is refused."""
        state, total = self.rule.start(), 0.0
        for used, token in enumerate(self.lead):
            state = self.extend(state, used, token)
            if state is None:
                return None
            total += float(self.log_probs(self.lead[:used])[token])
        return tuple(self.lead), state, total

    def found(self, ids: Sequence[int], state: Any, log_likelihood: float, reason: SearchReason = "stop") -> Found:
        """Returns an accepted answer as a result."""
        return Found(tuple(map(int, ids)), float(log_likelihood), reason, self.rule.key(state))
