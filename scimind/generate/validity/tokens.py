"""Rules applied to token ids: what each token spells, and which tokens an answer may contain.

Molecules, proteins and nucleic acids have tokens of their own for every character, so that an answer's tags are not
tokens: `<smiles>CCO</smiles>` is three tokens, and a text with a molecule in a tag is text pieces, then the molecule's
characters, then text pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from scimind.generate.validity.rule import AnswerRule, IncrementalRule
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import added_tokens


class TokenRule(Protocol):
    """What the search asks of a rule. States are values, see `IncrementalRule`."""

    @property
    def tokens(self) -> Sequence[int] | None:
        """The tokens that accepted answers consist of, ascending; None for all of the vocabulary."""

    def start(self) -> Any:
        """Returns the state of an answer without tokens."""

    def extend(self, state: Any, token: int) -> Any | None:
        """Returns the state after one more token, or None if no accepted answer begins like this."""

    def shortest_end(self, state: Any) -> int:
        """Returns a lower bound of the number of further tokens, EOS not counted."""

    def accepts(self, state: Any) -> bool:
        """Returns whether EOS may follow: the last word on the whole answer, which may take longer than `extend`."""

    def closings(self, state: Any, room: int) -> Iterator[Sequence[int]]:
        """Returns at most `room` tokens that probably complete a state, the fewest first; see `IncrementalRule`."""

    def key(self, state: Any) -> Hashable:
        """Returns what is equal for accepted answers that mean the same."""


class SequenceTokens:
    """A rule for answers that consist of one kind of sequence, such as a molecule, and nothing else.

    Args:
        rule: The rule of the sequence.
        texts: What each token spells, one character or several. Other tokens are refused.
    """

    def __init__(self, rule: IncrementalRule, texts: Mapping[int, str]) -> None:
        self._rule, self._texts = rule, dict(texts)
        self._ids = {text: token for token, text in self._texts.items()}
        self._longest = max(map(len, self._texts.values()))
        self.tokens: Sequence[int] | None = sorted(self._texts)
        self.start = rule.start

    @classmethod
    def of(cls, rule: IncrementalRule, codec: TokenCodec, modality: str) -> SequenceTokens:
        """Returns the rule for the tokens of a modality.

        Args:
            rule: The rule of the sequence.
            codec: The tokenizer.
            modality: "smiles", "protein" or "nucleotide".
        """
        return cls(rule, modality_texts(codec)[modality])

    def extend(self, state: Any, token: int) -> Any | None:
        """Returns the state after one more token; None for a token of another kind, too."""
        text = self._texts.get(token)
        return None if text is None else self._rule.extend(state, text)

    def shortest_end(self, state: Any) -> int:
        """Returns a lower bound of the number of further tokens."""
        return -(-self._rule.shortest_end(state) // self._longest)

    def accepts(self, state: Any) -> bool:
        """Returns whether the sequence is whole and its rule accepts it."""
        return self._rule.ends(state)

    def closings(self, state: Any, room: int) -> Iterator[Sequence[int]]:
        """Returns the rule's endings that can be spelled with the tokens, character by character."""
        for text in self._rule.closings(state, room):
            if all(character in self._ids for character in text):
                yield [self._ids[character] for character in text]

    def key(self, state: Any) -> Hashable:
        """Returns the rule's key of the sequence."""
        return self._rule.key(self._rule.text(state))


class _Place(NamedTuple):
    """A place in a text with sequences.

    Attributes:
        modality: The modality of the sequence that is being written; "" in plain text.
        state: Where its rule is; None in plain text.
        before: The ids before that sequence, or all ids in plain text.
        ids: The ids of the sequence.
    """

    modality: str
    state: Any
    before: tuple[int, ...]
    ids: tuple[int, ...]


class TextTokens:
    """A rule for text in which every sequence obeys the rule of its modality; text between them is free.

    Args:
        rules: The rule of each modality; sequences of the others are refused.
        text_tokens: The tokens of plain text, without BOS, EOS and padding.
    """

    def __init__(self, rules: Mapping[str, SequenceTokens], text_tokens: Sequence[int]) -> None:
        self._rules, self._free = dict(rules), frozenset(text_tokens)
        self._modalities = {token: name for name, rule in self._rules.items() for token in rule.tokens or ()}
        self.tokens: Sequence[int] | None = sorted({*self._free, *self._modalities})

    @classmethod
    def of(cls, rules: Mapping[str, IncrementalRule], codec: TokenCodec) -> TextTokens:
        """Returns the rule for a tokenizer's tokens.

        Args:
            rules: A rule for each modality that may appear: "smiles", "protein", "nucleotide".
            codec: The tokenizer.
        """
        special = {codec.bos_id, codec.eos_id, codec.unk_id, codec.pad_id}
        free = [token for token in range(codec.base_size) if token not in special]
        return cls({name: SequenceTokens.of(rule, codec, name) for name, rule in rules.items()}, free)

    def start(self) -> _Place:
        """Returns the state of an empty answer."""
        return _Place("", None, (), ())

    def extend(self, state: _Place, token: int) -> _Place | None:
        """Returns the state after one more token. A sequence ends where a token of another kind follows."""
        modality = "" if token in self._free else self._modalities.get(token)
        if modality is None:
            return None
        if modality and modality == state.modality:
            inner = self._rules[modality].extend(state.state, token)
            return None if inner is None else state._replace(state=inner, ids=(*state.ids, token))
        if not self._is_whole(state):
            return None
        before = state.before + state.ids
        if not modality:
            return _Place("", None, (*before, token), ())
        inner = self._rules[modality].extend(self._rules[modality].start(), token)
        return None if inner is None else _Place(modality, inner, before, (token,))

    def shortest_end(self, state: _Place) -> int:
        """Returns what the sequence that is being written needs; 1 for an empty answer."""
        if state.modality:
            return self._rules[state.modality].shortest_end(state.state)
        return 0 if state.before else 1

    def accepts(self, state: _Place) -> bool:
        """Returns whether the answer is not empty and its last sequence is whole."""
        return bool(state.before or state.ids) and self._is_whole(state)

    def closings(self, state: _Place, room: int) -> Iterator[Sequence[int]]:
        """Returns endings of the sequence that is being written; of an empty answer, those of any sequence."""
        if state.modality:
            yield from self._rules[state.modality].closings(state.state, room)
        elif state.before:
            yield []
        else:
            for rule in self._rules.values():
                yield from rule.closings(rule.start(), room)

    def key(self, state: _Place) -> Hashable:
        """Returns the ids: texts are distinct as they are."""
        return state.before + state.ids

    def _is_whole(self, state: _Place) -> bool:
        return not state.modality or self._rules[state.modality].accepts(state.state)


class AnyTokens:
    """Accepts every answer, the empty one included.

    Args:
        tokens: The tokens that may be generated.
        key: Returns what is equal for answers that mean the same; the ids by default.
    """

    def __init__(self, tokens: Sequence[int], key: Callable[[tuple[int, ...]], Hashable] = tuple) -> None:
        self.tokens: Sequence[int] | None = sorted(tokens)
        self._allowed, self._key = frozenset(tokens), key

    def start(self) -> tuple[int, ...]:
        """Returns the ids of an empty answer: states are ids."""
        return ()

    def extend(self, state: tuple[int, ...], token: int) -> tuple[int, ...] | None:
        """Returns the ids with one more, or None for a token that is never generated."""
        return (*state, token) if token in self._allowed else None

    def shortest_end(self, state: tuple[int, ...]) -> int:
        """Returns 0: an answer may end anywhere."""
        return 0

    def accepts(self, state: tuple[int, ...]) -> bool:
        """Returns True."""
        return True

    def closings(self, state: tuple[int, ...], room: int) -> Iterator[Sequence[int]]:
        """Returns the empty ending."""
        yield []

    def key(self, state: tuple[int, ...]) -> Hashable:
        """Returns what is equal for answers that mean the same."""
        return self._key(state)


class DecodedTokens:
    """A user's rule about the text of any tokens, which are decoded anew each time.

    Args:
        rule: The rule.
        decode: Returns the text of token ids, such as `TokenCodec.decode`.
        tokens: The tokens that may be generated; None for all.
    """

    def __init__(
        self, rule: AnswerRule, decode: Callable[[Sequence[int]], str], tokens: Sequence[int] | None = None
    ) -> None:
        self._rule, self._decode = rule, decode
        self.tokens = None if tokens is None else sorted(tokens)

    def start(self) -> tuple[int, ...]:
        """Returns the ids of an empty answer: states are ids."""
        return ()

    def extend(self, state: tuple[int, ...], token: int) -> tuple[int, ...] | None:
        """Returns the ids with one more, or None if the rule refuses their text."""
        longer = (*state, token)
        return longer if self._rule.accepts_prefix(self._decode(longer)) else None

    def shortest_end(self, state: tuple[int, ...]) -> int:
        """Returns 0 if the text is an answer, otherwise 1: more is not known."""
        return 0 if self.accepts(state) else 1

    def accepts(self, state: tuple[int, ...]) -> bool:
        """Returns whether the rule accepts the text."""
        return bool(state) and self._rule.accepts(self._decode(state))

    def closings(self, state: tuple[int, ...], room: int) -> Iterator[Sequence[int]]:
        """Returns the empty ending if the text is an answer; others are not known."""
        if self.accepts(state):
            yield []

    def key(self, state: tuple[int, ...]) -> Hashable:
        """Returns the text."""
        return self._decode(state)


def modality_texts(codec: TokenCodec) -> dict[str, dict[int, str]]:
    """Returns the character of each added token, by modality."""
    texts: dict[str, dict[int, str]] = {}
    for token, (modality, character) in enumerate(added_tokens(codec.extension), codec.base_size):
        texts.setdefault(modality, {})[token] = character
    return texts
