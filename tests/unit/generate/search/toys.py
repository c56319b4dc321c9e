"""A toy vocabulary of SMILES characters, and random models over it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scimind.generate.search.model import Draft, Drafted, Problem, run
from scimind.generate.validity.molecules import MoleculeRule
from scimind.generate.validity.tokens import SequenceTokens

EOS = 0
CHARACTERS = {1: "C", 2: "O", 3: "(", 4: ")", 5: "="}
REFUSED = 6  # a token that no molecule contains
SIZE = 7


class AnyRule:
    """Accepts every answer, the empty one included."""

    tokens = None

    def start(self):
        return ()

    def extend(self, state, token):
        return (*state, token)

    def shortest_end(self, state):
        return 0

    def accepts(self, state):
        return True

    def closings(self, state, room):
        yield []

    def key(self, state):
        return state


class SpellingTokens(SequenceTokens):
    """Molecules whose spellings count as different answers; a state is computed once."""

    def __init__(self, rule: MoleculeRule, texts: dict[int, str]) -> None:
        super().__init__(rule, texts)
        self._known: dict = {}

    def extend(self, state, token):
        place = (state.text, token)
        if place not in self._known:
            self._known[place] = super().extend(state, token)
        return self._known[place]

    def key(self, state):
        return state.text


def molecules() -> SequenceTokens:
    return SequenceTokens(MoleculeRule(), CHARACTERS)


def spellings() -> SpellingTokens:
    return SpellingTokens(MoleculeRule(), CHARACTERS)


def text_of(ids: Sequence[int]) -> str:
    return "".join(CHARACTERS[token] for token in ids)


def random_model(seed: int, sharpness: float = 2.0) -> Callable[[Sequence[int]], NDArray[np.float64]]:
    def next_log_probs(ids: Sequence[int]) -> NDArray[np.float64]:
        digest = zlib.crc32(np.array(ids, np.int32).tobytes(), seed)
        logits = sharpness * np.random.default_rng(digest).normal(size=SIZE)
        return logits - np.logaddexp.reduce(logits)

    return next_log_probs


def problem(rule=None, limit: int = 5, **settings) -> Problem:
    return Problem(molecules() if rule is None else rule, EOS, limit, **settings)


def drafting(model, task: Problem, knows: bool = True):
    """Returns a function that drafts with a model: each token is the most likely one of the rule's."""

    def draft(asked: Draft) -> list[Drafted]:
        ids, made = asked.prefix, []
        while len(made) < asked.most and (not made or made[-1].token != EOS):
            log_probs = model(ids)
            tokens = task.tokens(len(log_probs))
            token = int(tokens[np.argmax(log_probs[tokens])])
            made.append(Drafted(token, float(log_probs[token]), log_probs[tokens] if knows else None))
            ids = (*ids, token)
        return made

    return draft


def found_by(search, seed: int):
    """Returns what a search finds with a random model."""
    return run(search, random_model(seed))


def likelihood(model, ids: Sequence[int]) -> float:
    whole = [*ids, EOS]
    return sum(float(model(whole[:place])[token]) for place, token in enumerate(whole))


def all_answers(limit: int) -> list[tuple[int, ...]]:
    """Returns every accepted answer of at most `limit` tokens, found by asking RDKit about every text."""
    rule = MoleculeRule()
    return [
        ids
        for length in range(1, limit + 1)
        for ids in product(CHARACTERS, repeat=length)
        if rule.accepts(text_of(ids))
    ]
