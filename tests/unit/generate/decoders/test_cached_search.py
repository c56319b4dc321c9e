"""Searches with the CPU's cache (drafts, rows that are copied, smaller batches), compared with whole sequences."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.generate.decoders.cached import SHORTEST_CACHE, CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.generate.search.beam import BeamSettings, beam_search
from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import Problem
from scimind.generate.search.rejection import accepted_samples
from scimind.generate.search_batch import SearchBatch
from scimind.generate.validity.molecules import MoleculeRule
from scimind.generate.validity.tokens import AnyTokens, SequenceTokens
from tests.support import tolerances
from tests.support.models import RANGES, build, some_ids, use_mode, weights_of

VOCABULARY, EOS = 62, 2
TEXTS = dict(enumerate("CcNnO()=12", RANGES["smiles"][0]))
LENGTHS = (5, 7, 2, 6)


def drawer(number: int):
    random = np.random.default_rng(number)
    return lambda log_probs: int(np.searchsorted(np.cumsum(np.exp(log_probs)), random.random()))


SEARCHES = {
    "greedy": (1, lambda problem: greedy_search(problem)),
    "beams": (4, lambda problem: beam_search(problem, BeamSettings(num_beams=4))),
    "samples": (4, lambda problem: accepted_samples(problem, drawer, range(64), 2, 4)),
}


def found_by(decoder, name: str):
    """Returns the answers to all prompts."""
    width, search = SEARCHES[name]
    prompts = [row[:length].tolist() for row, length in zip(some_ids((len(LENGTHS), 8)), LENGTHS, strict=True)]
    batch = SearchBatch(decoder, width=width, vocab_size=VOCABULARY, tokens=list(TEXTS), eos_id=EOS, never=[0])
    is_free = name == "samples"  # hardly any would be a molecule
    rule = AnyTokens(range(3, VOCABULARY)) if is_free else SequenceTokens(MoleculeRule(), TEXTS)
    problems = [Problem(rule, EOS, 9, work=8, cuts=is_free) for _ in prompts]
    found = batch.run(prompts, [search(problem) for problem in problems], len(prompts))
    return [one[0] if isinstance(one, tuple) else one for one in found]


@pytest.fixture(scope="module")
def decoders():
    use_mode("graph")
    settings = {"router": "modality", "batch_size": 16, "num_layers": 1}
    full = build(**settings)
    return CachedDecoder(build(weights_of(full), use_past=True, **settings)), FullDecoder(full)


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_with_a_cache_equal_those_without(name: str, decoders) -> None:
    cached, full = (found_by(decoder, name) for decoder in decoders)
    assert [[answer.ids for answer in one] for one in cached] == [[answer.ids for answer in one] for one in full]
    for one, other in zip(cached, full, strict=True):
        assert [answer.log_likelihood for answer in one] == pytest.approx(
            [answer.log_likelihood for answer in other], abs=100 * tolerances.SAME_MATH
        )
    assert any(cached), "prompts have answers"


def test_rows_that_are_not_copied_are_noticed(decoders, monkeypatch) -> None:
    monkeypatch.setattr(CachedDecoder, "copy_rows", lambda decoder, sources, start, stop: None)
    assert found_by(decoders[0], "beams") != found_by(decoders[1], "beams")


def test_a_row_that_is_done_at_the_end_of_the_cache_leaves_the_next_row_alone() -> None:
    use_mode("graph")
    sizes = {"batch_size": 2, "num_layers": 1, "seq_length": SHORTEST_CACHE + 32}
    cached = CachedDecoder(build(router="modality", use_past=True, **sizes))
    ids = np.tile(np.array([1, 20, 21, 22], np.int32), (2, 1))
    tokens = []
    for position in (5, SHORTEST_CACHE):  # of the first row, which only waits
        cached.prefill(ids, np.array([4, 4], np.int32))
        positions = np.array([position, 3], np.int32)
        alive = np.array([False, True])
        settings = {"steps": 4, "fewest": 0, "eos_id": EOS, "vocab_size": VOCABULARY}
        _, log_probs, _ = cached.scored_greedy(ids[:, 3], positions, alive, candidates=[EOS], **settings)
        tokens.append(log_probs[:, 1])
    np.testing.assert_allclose(*tokens, atol=100 * tolerances.SAME_MATH)
