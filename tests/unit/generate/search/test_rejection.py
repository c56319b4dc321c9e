from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from scimind.generate.search.model import run
from scimind.generate.search.rejection import accepted_samples
from tests.unit.generate.search.toys import EOS, all_answers, found_by, likelihood, problem, random_model, spellings

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
    draw = drawer(1)
    found, made = run(accepted_samples(problem(spellings(), limit=LIMIT), [draw] * SAMPLES, 1000), model)
    samples = Counter(answer.ids for answer in found)
    assert made > 2 * SAMPLES, "most samples are refused"
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


def test_samples_have_their_likelihood_and_begin_with_the_lead() -> None:
    for seed in range(10):
        task = problem(limit=6, lead=(1,))
        found, _ = found_by(accepted_samples(task, [drawer(number) for number in range(5)], 2000), seed)
        assert len(found) == 5 and all(answer.ids[0] == 1 for answer in found)
        expected = [likelihood(random_model(seed), answer.ids) for answer in found]
        assert [answer.log_likelihood for answer in found] == pytest.approx(expected)


def test_a_sample_does_not_depend_on_the_others() -> None:
    for seed in range(10):
        together, _ = found_by(accepted_samples(problem(limit=6), [drawer(0), drawer(1), drawer(2)], 2000), seed)
        alone = [found_by(accepted_samples(problem(limit=6), [drawer(n)], 2000), seed)[0][0] for n in range(3)]
        assert together == alone


def test_attempts_are_bounded() -> None:
    assert found_by(accepted_samples(problem(limit=6), [lambda log_probs: EOS] * 2, 7), 0) == ([], 14)
