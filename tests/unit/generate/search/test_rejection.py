from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from scimind.generate.search.rejection import accepted_samples, sample_answers
from scimind.generate.validity.molecules import MoleculeRule
from tests.unit.generate.search.toys import EOS, all_answers, likelihood, problem, random_model, spellings, text_of

SAMPLES, SEED, LIMIT = 20_000, 6, 3


def drawer(seed: int):
    random = np.random.default_rng(seed)
    known: dict = {}  # with the array, which keeps its id

    def draw(log_probs) -> int:
        if id(log_probs) not in known:
            known[id(log_probs)] = (np.cumsum(np.exp(log_probs)), log_probs)
        cumulative = known[id(log_probs)][0]
        return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))

    return draw


@pytest.fixture(scope="module")
def model():
    """A random model that favours short chains of carbon and oxygen, each prefix computed once."""
    known: dict = {}
    compute, wishes = random_model(SEED, sharpness=1.0), np.array([1.5, 2.0, 1.0, 0.5, 0.5, 0.5, -1.0])

    def next_log_probs(ids):
        if tuple(ids) not in known:
            logits = compute(ids) + wishes
            known[tuple(ids)] = logits - np.logaddexp.reduce(logits)
        return known[tuple(ids)]

    return next_log_probs


def p_value(samples: Counter, model) -> float:
    """Returns the probability of frequencies like these, if they are the model's over accepted answers."""
    answers = all_answers(LIMIT)
    shares = np.exp([likelihood(model, ids) for ids in answers])
    expected = shares / shares.sum() * samples.total()
    observed = np.array([samples[ids] for ids in answers])
    assert observed.sum() == samples.total() and (expected > 5).sum() > 5
    groups = np.where(expected > 5, np.arange(len(answers)), -1)  # rare answers count together
    pairs = [(observed[groups == group].sum(), expected[groups == group].sum()) for group in np.unique(groups)]
    return float(chisquare(*zip(*pairs, strict=True)).pvalue)


def test_rejection_keeps_the_frequencies_of_accepted_answers(model) -> None:
    task = problem(SEED, spellings(), limit=LIMIT)
    task.next_log_probs = model
    samples: Counter = Counter()
    for found in accepted_samples(task, drawer(1), 50 * SAMPLES):
        samples[found.ids] += 1
        if samples.total() == SAMPLES:
            break
    assert samples.total() == SAMPLES
    assert p_value(samples, model) > 0.01


def test_masking_does_not_keep_them(model) -> None:
    rule, draw = spellings(), drawer(1)
    masks: dict = {}

    def masked(ids, state):
        if ids not in masks:
            masks[ids] = np.full_like(model(ids), -np.inf)
            for token in rule.tokens:
                longer = rule.extend(state, token)
                if longer is not None and len(ids) + 1 + rule.shortest_end(longer) <= LIMIT:
                    masks[ids][token] = model(ids)[token]
            if rule.accepts(state):
                masks[ids][EOS] = model(ids)[EOS]
        return masks[ids]

    samples: Counter = Counter()
    while samples.total() < SAMPLES:
        ids, state = (), rule.start()
        while (token := draw(masked(ids, state))) != EOS:
            ids, state = (*ids, token), rule.extend(state, token)
        samples[ids] += 1
    assert p_value(samples, model) < 1e-6


def test_answers_are_distinct_molecules_with_their_likelihood() -> None:
    for seed in range(10):
        found = sample_answers(problem(seed, limit=6), drawer(seed), 5)
        assert 1 <= len(found) <= 5
        assert len({MoleculeRule().key(text_of(answer.ids)) for answer in found}) == len(found)
        scores = [answer.log_likelihood for answer in found]
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx([likelihood(random_model(seed), answer.ids) for answer in found])


def test_where_no_sample_is_accepted_the_greedy_answer_comes() -> None:
    task = problem(0, limit=6)
    found = sample_answers(task, lambda log_probs: EOS, 3)
    assert len(found) == 1 and MoleculeRule().accepts(text_of(found[0].ids))


def test_samples_begin_with_the_lead() -> None:
    found = sample_answers(problem(1, limit=6, lead=(1,)), drawer(1), 3)
    assert found and all(answer.ids[0] == 1 for answer in found)
