"""The interfaces of a rule: one that users implement, and one that keeps its place in a text."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class AnswerRule(Protocol):
    """What a whole answer must be. This is all that a user's own rule needs."""

    def accepts_prefix(self, text: str) -> bool:
        """Returns whether some accepted answer may begin with `text`.

        It may be generous, since the search returns from dead ends, but must not refuse the beginning of an answer
        that `accepts` accepts: such an answer is never found.
        """

    def accepts(self, text: str) -> bool:
        """Returns whether `text` is a whole answer. An accepted answer is not empty."""


@runtime_checkable
class IncrementalRule(AnswerRule, Protocol):
    """A rule that keeps its place in a text instead of reading it anew for every token.

    States are values: `extend` returns a new one and never changes its argument, so that the search can return to any
    state. A state holds its text.
    """

    def start(self) -> Any:
        """Returns the state of the empty text."""

    def extend(self, state: Any, text: str) -> Any | None:
        """Returns the state after more text, or None if no accepted answer begins with all of it."""

    def text(self, state: Any) -> str:
        """Returns the text of a state."""

    def ends(self, state: Any) -> bool:
        """Returns whether the text of a state is a whole answer, as `accepts` does."""

    def shortest_end(self, state: Any) -> int:
        """Returns a lower bound of the number of further characters that any accepted completion needs."""

    def closings(self, state: Any, room: int) -> Iterator[str]:
        """Returns texts of at most `room` characters that probably complete a state's text, the shortest first.

        For a state that is complete, the empty text comes first. There is at least one for the empty text if `room`
        allows any accepted answer at all.
        """

    def key(self, text: str) -> Hashable:
        """Returns what is equal for two accepted texts that mean the same, such as a canonical SMILES."""
