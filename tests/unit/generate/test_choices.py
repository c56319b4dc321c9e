"""Choices ranked by likelihood: equal to whole sequences computed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.errors import ConfigError
from scimind.generate.choices import Choices, Ranked, rank_batch
from scimind.generate.decoders.cached import CachedDecoder
from scimind.generate.decoders.full import FullDecoder
from scimind.tokenizer import TokenCodec
from tests.support import tolerances
from tests.support.models import build, load, logits, some_ids, use_mode, weights_of
from tests.support.toys import CachedToy, FullToy

# Choices with common beginnings, one of which is the beginning of another.
TREE = Choices(("a", "b", "c", "d"), ((7, 2), (7, 8, 2), (7, 8, 9, 5, 2), (6, 2)))
PROMPTS = [[1, 5, 6], [1, 9, 40, 7, 30], [1]]


def expected(last_logits, prompts, choices, vocab_size) -> np.ndarray:
    """Log-likelihoods [prompts, choices]: each token's log-softmax, from the whole sequence before it."""
    scores = np.zeros((len(prompts), len(choices.ids)))
    for row, prompt in enumerate(prompts):
        for column, ids in enumerate(choices.ids):
            for place, token in enumerate(ids):
                values = np.asarray(last_logits([*prompt, *ids[:place]]), np.float64)[:vocab_size]
                scores[row, column] += values[token] - np.log(np.exp(values - values.max()).sum()) - values.max()
    return scores


@pytest.mark.parametrize("kind", [CachedToy, FullToy])
def test_likelihoods_equal_those_of_whole_sequences(kind) -> None:
    toy = kind(60)
    ranked = rank_batch(toy, PROMPTS, TREE, vocab_size=60, rows=4)
    found = np.array([answer.log_likelihoods for answer in ranked])
    truth = expected(toy.logits, PROMPTS, TREE, 60)
    np.testing.assert_allclose(found, truth, atol=1e-9)
    assert [answer.best for answer in ranked] == truth.argmax(axis=1).tolist()
    shares = np.exp(truth) / np.exp(truth).sum(axis=1, keepdims=True)
    np.testing.assert_allclose([answer.probabilities for answer in ranked], shares, atol=1e-9)
    # One pass for the prompts, and a step for each inner node of the tree: 7, 7 8, 7 8 9, 7 8 9 5, 6.
    assert len([shape for shape in toy.shapes if len(shape) == 2]) == 1
    assert len([shape for shape in toy.shapes if len(shape) == 1]) == 5


def test_a_tree_walked_in_another_order_would_be_noticed() -> None:
    toy, wrong = CachedToy(60), CachedToy(60)
    truth = expected(toy.logits, PROMPTS, TREE, 60)
    step = wrong.step
    wrong.step = lambda ids, positions: step(ids, positions + 1)  # the cache then does not hold the path to the node
    ranked = rank_batch(wrong, PROMPTS, TREE, vocab_size=60, rows=4)
    assert np.abs(np.array([answer.log_likelihoods for answer in ranked]) - truth).max() > 1e-3


def test_a_models_likelihoods_equal_those_of_its_forward_pass() -> None:
    use_mode("graph")
    settings = {"num_layers": 1, "batch_size": 4, "init_method_std": 0.5}
    model = build(**settings)
    prompts = [list(map(int, some_ids((1, length), seed=length)[0])) for length in (5, 9, 3)]
    choices = Choices(TREE.texts, ((7, 2), (7, 50, 2), (7, 50, 9, 5, 2), (61, 2)))

    def last(ids: list[int]) -> np.ndarray:
        padded = np.zeros((1, 16), np.int32)  # one shape: one graph
        padded[0, : len(ids)] = ids
        return logits(model, padded)[0, len(ids) - 1]

    truth = expected(last, prompts, choices, 62)
    decoders = FullDecoder(build(weights_of(model), **settings)), CachedDecoder(model)
    for decoder in decoders:
        ranked = rank_batch(decoder, prompts, choices, vocab_size=62, rows=4)
        found = np.array([answer.log_likelihoods for answer in ranked])
        np.testing.assert_allclose(found, truth, atol=10 * tolerances.SAME_MATH, rtol=0)

    # The twin: one changed weight gives other likelihoods, with the same graphs.
    weights = weights_of(model)
    weights["model.layers.0.attention.wo.weight"] *= -1.0
    load(model, weights)
    ranked = rank_batch(decoders[1], prompts, choices, vocab_size=62, rows=4)
    found = np.array([answer.log_likelihoods for answer in ranked])
    assert np.abs(found - truth).max() > 1000 * tolerances.SAME_MATH


def test_prompts_that_cannot_be_answered_do_not_affect_the_others() -> None:
    toy = CachedToy(60, max_length=8)
    prompts = [[1, 5], [], [1] * 8, [1] * 5, [1] * 4]
    ranked = rank_batch(toy, prompts, TREE, vocab_size=60, rows=8)
    messages = [answer.message for answer in ranked]
    assert messages[0] == messages[4] == ""
    assert messages[1] == "the prompt is empty" and "seq_length (8)" in messages[2]
    assert "no room for the longest choice (4)" in messages[3]
    np.testing.assert_allclose(ranked[4].log_likelihoods, expected(toy.logits, [prompts[4]], TREE, 60)[0], atol=1e-9)


def test_logits_that_are_not_numbers_are_reported() -> None:
    toy = CachedToy(60)
    toy.head[:, 9] = np.nan
    ranked = rank_batch(toy, PROMPTS, TREE, vocab_size=60, rows=4)
    assert all("not finite" in answer.message for answer in ranked)


def test_far_apart_likelihoods_keep_their_probabilities() -> None:
    ranked = Ranked((-3000.0, -2000.0, -2001.0))
    assert ranked.best == 1
    np.testing.assert_allclose(ranked.probabilities, [0.0, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])


def test_choices_are_encoded_like_prepared_answers() -> None:
    codec = TokenCodec()
    choices = Choices.encode(codec, ["yes", "no", "it is {|C|} in text"])
    assert choices.ids[0] == tuple(codec.encode("yes", bos=False, eos=True))
    assert codec.decode(choices.ids[2]) == "it is {|C|} in text"
    for texts, fault in ((["yes"], "at least two"), (["yes", " "], "is empty"), (["yes", "yes "], "same answer")):
        with pytest.raises(ConfigError, match=fault):
            Choices.encode(codec, texts)
