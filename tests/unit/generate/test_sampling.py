"""The choice of the next token, compared with plain loops over the whole vocabulary."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scimind.generate.sampling import candidates, next_tokens, prompt_generator, sample
from scimind.generate.settings import GenerationSettings


def brute_force(scores, temperature=1.0, top_k=0, top_p=1.0):
    """Returns {token: probability} by the definitions, one token at a time."""
    order = sorted(range(len(scores)), key=lambda token: (-scores[token], token))
    if top_k:
        order = order[:top_k]
    top = max(scores)
    weights = {token: math.exp((scores[token] - top) / temperature) for token in order}
    total = sum(weights.values())
    kept, mass = [], 0.0
    for token in order:
        kept.append(token)
        mass += weights[token] / total
        if top_p < 1 and mass >= top_p:
            break
    total = sum(weights[token] for token in kept)
    return {token: weights[token] / total for token in kept}


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [0, 1, 5, 400])
@pytest.mark.parametrize("top_p", [0.01, 0.5, 0.95, 1.0])
def test_candidates_are_those_of_the_definition(temperature, top_k, top_p):
    settings = GenerationSettings(do_sample=True, temperature=temperature, top_k=top_k, top_p=top_p)
    for seed in range(5):
        scores = 3 * np.random.default_rng(seed).standard_normal(300)
        wanted = brute_force(scores, temperature, top_k, top_p)
        ids, probabilities = candidates(scores, settings)
        assert set(ids) == set(wanted)
        for token, probability in zip(ids, probabilities, strict=True):
            assert probability == pytest.approx(wanted[token], rel=1e-9)


def test_a_wrong_nucleus_differs_from_the_definition():
    scores = 3 * np.random.default_rng(0).standard_normal(300)
    ids, _ = candidates(scores, GenerationSettings(do_sample=True, top_p=0.6))
    assert set(ids) != set(brute_force(scores, top_p=0.95))


def test_ties_go_to_the_lower_token():
    scores = np.array([1.0, 2.0, 2.0, 2.0, 0.0])
    assert list(candidates(scores, GenerationSettings(do_sample=True, top_k=2))[0]) == [1, 2]
    assert list(candidates(scores, GenerationSettings(do_sample=True, top_p=0.3))[0]) == [1, 2]
    assert next_tokens(scores[None], GenerationSettings(), vocab_size=5)[0] == 1


def test_draws_follow_the_distribution():
    scores = np.array([0.0, 1.0, -1.0, 2.0])
    settings = GenerationSettings(do_sample=True, temperature=1.5)
    generator = prompt_generator(3, 0)
    draws = [sample(scores, settings, generator.random()) for _ in range(20000)]
    shares = np.bincount(draws, minlength=4) / len(draws)
    wanted = brute_force(scores, 1.5)
    assert shares == pytest.approx([wanted[token] for token in range(4)], abs=0.015)  # about four standard deviations


def test_a_number_just_below_one_still_gives_a_token():
    scores = np.random.default_rng(0).standard_normal(1000)
    assert sample(scores, GenerationSettings(do_sample=True), np.nextafter(1.0, 0.0)) < 1000


def test_padding_rows_are_never_chosen():
    logits = np.zeros((4, 10))
    logits[:, 7:] = 50.0
    assert (next_tokens(logits, GenerationSettings(), vocab_size=7) == 0).all()
    settings = GenerationSettings(do_sample=True)
    generators = [prompt_generator(0, row) for row in range(4)]
    for _ in range(50):
        assert (next_tokens(logits, settings, vocab_size=7, generators=generators) < 7).all()
    assert (next_tokens(logits, GenerationSettings(), vocab_size=10) == 7).all()


def test_a_row_without_finite_logits_is_marked_and_the_others_continue():
    logits = np.array([[0.0, 1.0], [np.nan, 1.0], [-np.inf, -np.inf], [-np.inf, 3.0], [np.inf, 0.0]])
    assert list(next_tokens(logits, GenerationSettings(), vocab_size=2)) == [1, -1, -1, 1, -1]


def test_masked_tokens_are_never_sampled():
    logits = np.array([[-np.inf, 0.0, -np.inf, 0.0]])
    for number in range(40):
        settings = GenerationSettings(do_sample=True, top_k=3, temperature=0.01)
        assert next_tokens(logits, settings, vocab_size=4, generators=[prompt_generator(0, number)])[0] in (1, 3)


def test_the_smallest_temperature_is_greedy():
    logits = np.random.default_rng(1).standard_normal((3, 50))
    settings = GenerationSettings(do_sample=True, temperature=1e-300)
    generators = [prompt_generator(0, row) for row in range(3)]
    assert (next_tokens(logits, settings, vocab_size=50, generators=generators) == logits.argmax(axis=1)).all()


def test_repetition_penalty_against_a_loop():
    logits = np.array([[2.0, -1.0, 1.9, 0.5]])
    before = logits.copy()
    history = [0, 0, 1, 9]  # 9 is a padding row
    chosen = next_tokens(logits, GenerationSettings(repetition_penalty=1.5), vocab_size=4, histories=[history])
    wanted = [x / 1.5 if x > 0 else x * 1.5 for x in (2.0, -1.0)] + [1.9, 0.5]
    assert chosen[0] == int(np.argmax(wanted)) == 2
    assert (logits == before).all()


def test_streams_of_prompts_and_seeds_differ_and_repeat():
    first = prompt_generator(0, 1).random(4)
    assert (first == prompt_generator(0, 1).random(4)).all()
    assert (first != prompt_generator(0, 2).random(4)).all()
    assert (first != prompt_generator(1, 0).random(4)).all()


def test_excluded_tokens_are_never_chosen():
    logits = np.array([[9.0, 1.0, 2.0]])
    assert next_tokens(logits, GenerationSettings(), vocab_size=3, never=[0])[0] == 2
    sampled = GenerationSettings(do_sample=True, temperature=5.0)
    chosen = {
        int(next_tokens(logits, sampled, vocab_size=3, generators=[prompt_generator(0, n)], never=[0])[0])
        for n in range(60)
    }
    assert chosen == {1, 2}
