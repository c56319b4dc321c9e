from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from scimind.generate.search.model import run
from scimind.generate.search.rejection import _Sample, accepted_samples
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
    task = problem(spellings(), limit=LIMIT)
    found, made = run(accepted_samples(task, lambda number: draw, range(100 * SAMPLES), SAMPLES, 64), model)
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


def test_the_first_to_end_do_not_keep_them(model) -> None:
    task, draw, samples = problem(spellings(), limit=LIMIT), drawer(1), Counter()
    while samples.total() < SAMPLES // 4:  # the first one of eight to end, instead of the first one by number
        going = [_Sample(task, ((), task.rule.start(), 0.0), draw) for _ in range(8)]
        while not all(sample.is_done for sample in going):
            for sample in going:
                if not sample.is_done:
                    sample.take(model(sample.ids))
            if ended := [sample.found.ids for sample in going if sample.found]:
                samples[ended[0]] += 1
                break
    assert p_value(samples, model) < 1e-6


def test_samples_have_their_likelihood_and_begin_with_the_lead() -> None:
    for seed in range(10):
        task = problem(limit=6, lead=(1,))
        found, _ = found_by(accepted_samples(task, drawer, range(2000), 5, 4), seed)
        assert len(found) == 5 and all(answer.ids[0] == 1 for answer in found)
        expected = [likelihood(random_model(seed), answer.ids) for answer in found]
        assert [answer.log_likelihood for answer in found] == pytest.approx(expected)


def test_samples_do_not_depend_on_how_many_are_drawn_together() -> None:
    for seed in range(10):
        results = [found_by(accepted_samples(problem(limit=6), drawer, range(2000), 5, n), seed) for n in (1, 3, 50)]
        assert results[0] == results[1] == results[2] and len(results[0][0]) == 5


def test_attempts_are_bounded() -> None:
    def refused(number: int):
        return lambda log_probs: EOS

    assert found_by(accepted_samples(problem(limit=6), refused, range(7), 2, 4), 0) == ([], 7)
