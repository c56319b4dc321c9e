"""BLEU from counts, against NLTK's score of a corpus and against the formula by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from nltk.translate.bleu_score import corpus_bleu

from scimind.evaluate.metrics.bleu import ORDERS, bleu_counts, bleu_of
from tests.support.tolerances import EXACT_SUM


def corpus(seed: int, items: int = 30) -> list[tuple[list[str], list[str]]]:
    """Returns references and outputs over a few words, so that n-grams match often."""
    random = np.random.default_rng(seed)

    def words() -> list[str]:
        return [str(word) for word in random.choice(list("abcd"), random.integers(1, 20))]

    return [(words(), words()) for _ in range(items)]


def of_corpus(pairs: list[tuple[list[str], list[str]]], order: int = ORDERS) -> float:
    return float(bleu_of(np.sum([bleu_counts(reference, output) for reference, output in pairs], axis=0), order))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_score_is_nltks(order: int, seed: int) -> None:
    pairs = corpus(seed)
    nltks = corpus_bleu([[reference] for reference, _ in pairs], [output for _, output in pairs], [1 / order] * order)
    assert 0 < nltks < 1
    assert of_corpus(pairs, order) == pytest.approx(nltks, abs=EXACT_SUM)
    assert of_corpus(pairs[1:], order) != pytest.approx(nltks, abs=EXACT_SUM)


def test_counts_by_hand() -> None:
    # Papineni's example: "the" occurs twice in the reference, and counts at most twice.
    assert bleu_counts(["the", "cat", "is", "on", "the", "mat"], ["the"] * 7) == [2, 0, 0, 0, 7, 6, 5, 4, 7, 6]


def test_a_short_output_is_penalised() -> None:
    assert of_corpus([(list("abcdefgh"), list("abcd"))]) == pytest.approx(math.exp(1 - 8 / 4), abs=EXACT_SUM)
    assert of_corpus([(list("abcd"), list("abcd"))]) == 1.0
    assert of_corpus([(list("abcd"), list("abcdefgh"))], 1) == pytest.approx(4 / 8, abs=EXACT_SUM)


def test_nothing_in_common_or_nothing_at_all_scores_0() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert of_corpus([(["a", "b"], ["c", "d"])]) == 0
        assert of_corpus([(["a", "b"], [])]) == 0
        assert of_corpus([(["a", "b", "c"], ["a", "b", "c"])]) == 0  # no 4-gram, and no smoothing


def test_many_corpora_are_scored_at_once() -> None:
    pairs = corpus(9)
    counts = np.array([bleu_counts(reference, output) for reference, output in pairs])
    sums = np.stack([counts[:10].sum(0), counts[10:].sum(0)])
    assert bleu_of(sums).tolist() == [of_corpus(pairs[:10]), of_corpus(pairs[10:])]
