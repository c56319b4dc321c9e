"""Searches that share a decoder, compared with the same searches alone, with everything computed anew."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.generate.search.beam import BeamSettings, beam_search
from scimind.generate.search.greedy import greedy_search
from scimind.generate.search.model import NotFinite, Problem, run
from scimind.generate.search.rejection import accepted_samples
from scimind.generate.search_batch import SearchBatch, rows_for
from scimind.generate.validity.molecules import MoleculeRule
from scimind.generate.validity.tokens import SequenceTokens
from tests.support.toys import CachedToy, DraftingToy, FullToy

SMILES = "CcNnOo()=123[]H+-#"
VOCABULARY, EOS, PAD = 40, 2, 0
TEXTS = dict(enumerate(SMILES, 10))
PROMPTS = [[1, 5, 6], [1, 7], [1, 5, 9, 8, 7, 6], [1, 31, 32, 33], [1, 4]]
LIMIT = 14
KINDS = [CachedToy, DraftingToy, FullToy]


def problems() -> list[Problem]:
    return [Problem(SequenceTokens(MoleculeRule(), TEXTS), EOS, LIMIT) for _ in PROMPTS]


def drawer(number: int):
    random = np.random.default_rng(number)
    return lambda log_probs: int(np.searchsorted(np.cumsum(np.exp(log_probs)), random.random()))


def greedy(problem):
    return greedy_search(problem)


def beams(problem):
    return beam_search(problem, BeamSettings(num_beams=3))


def samples(problem):
    return accepted_samples(problem, drawer, range(400), 3, 3)


def build(kind: type):
    toy = kind(VOCABULARY, max_length=40)
    toy.bias[[10, 12, 14, EOS]] += 8.0  # C, N and O: samples of anything else would hardly ever be accepted
    return toy


def together(kind: type, search, width: int, prompt_rows: int = 8):
    toy = build(kind)
    batch = SearchBatch(toy, width=width, vocab_size=VOCABULARY, tokens=list(TEXTS), eos_id=EOS, never=[PAD])
    return batch.run(PROMPTS, [search(problem) for problem in problems()], prompt_rows)


def alone(search):
    toy = build(CachedToy)

    def model(prompt):
        def next_log_probs(ids):
            logits = toy.logits([*prompt, *ids])[:VOCABULARY]
            log_probs = logits - np.log(np.exp(logits).sum())
            log_probs[PAD] = -np.inf
            return log_probs

        return next_log_probs

    return [run(search(problem), model(prompt)) for prompt, problem in zip(PROMPTS, problems(), strict=True)]


def answers(found) -> list:
    """Returns the answers of all prompts with rounded likelihoods."""
    listed = [one[0] if isinstance(one, tuple) else one for one in found]
    return [[(answer.ids, round(answer.log_likelihood, 6), answer.finish_reason) for answer in one] for one in listed]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("search", "width"), [(greedy, 1), (greedy, 2), (beams, 3), (samples, 3), (samples, 2)])
def test_searches_that_share_a_decoder_find_what_each_finds_alone(kind, search, width: int) -> None:
    expected = answers(alone(search))
    for prompt_rows in (8, 2):  # with the smaller one, long searches wait for the next batch
        assert answers(together(kind, search, width, prompt_rows)) == expected
    assert len({str(one) for one in expected}) > 2, "prompts have different answers"


def test_a_wrong_copy_of_a_row_is_noticed(monkeypatch) -> None:
    monkeypatch.setattr(DraftingToy, "copy_rows", lambda toy, sources, start, stop: None)
    assert answers(together(DraftingToy, beams, 3)) != answers(alone(beams))


def test_drafts_and_copies_save_steps(monkeypatch) -> None:
    calls = {kind: 0 for kind in KINDS}
    for kind in KINDS:
        step = kind.step

        def counted(toy, ids, positions, step=step, kind=kind):
            calls[kind] += 1
            return step(toy, ids, positions)

        with monkeypatch.context() as patch:
            patch.setattr(kind, "step", counted)
            together(kind, beams, 3)
    assert calls[DraftingToy] < calls[CachedToy], "a decoder that does not copy reads tokens again"


@pytest.mark.parametrize("kind", [CachedToy, DraftingToy])
def test_logits_that_are_not_finite_end_only_their_prompt(kind, monkeypatch) -> None:
    expected = answers(alone(greedy))
    attend = CachedToy.attend

    def broken(toy, query, keys, values):
        logits = attend(toy, query, keys, values)
        return logits * np.nan if len(keys) > 1 and np.allclose(keys[1], toy.hidden(7, 1) @ toy.key) else logits

    monkeypatch.setattr(CachedToy, "attend", broken)
    found = together(kind, greedy, 1)
    assert isinstance(found[1], NotFinite) and "finite" in str(found[1])
    assert answers([*found[:1], *found[2:]]) == [*expected[:1], *expected[2:]]


def test_a_batch_has_a_power_of_two_of_prompts() -> None:
    assert [rows_for(number, 8) for number in (1, 3, 5, 8)] == [1, 4, 8, 8]
