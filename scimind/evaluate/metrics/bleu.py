"""BLEU of a corpus, without smoothing, from counts of its items.

The counts are NLTK's, so that the score equals `nltk.translate.bleu_score.corpus_bleu`. They are kept per item, so that
they also give the item's own score and the scores of resampled corpora.

Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation", equations 1 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nltk.translate.bleu_score import modified_precision

ORDERS = 4


def bleu_counts(reference: Sequence[str], output: Sequence[str]) -> list[int]:
    """Returns an item's counts: matched n-grams for n = 1 … 4, n-grams of the output, and both lengths.

    Args:
        reference: Tokens.
        output: Tokens; may be empty.

    Returns:
        10 counts. An output without n-grams counts as having 1, as in NLTK.
    """
    precisions = [modified_precision([reference], output, order) for order in range(1, ORDERS + 1)]
    matched = [precision.numerator for precision in precisions]
    possible = [precision.denominator for precision in precisions]
    return [*matched, *possible, len(output), len(reference)]


def bleu_of(sums: np.ndarray, order: int = ORDERS) -> np.ndarray:
    """Returns BLEU, 0 … 1, from sums of counts: [..., 10] -> [...].

    Args:
        sums: Counts of `bleu_counts`, summed over a corpus.
        order: Length of the longest n-gram; all lengths have the same weight.
    """
    matched, possible = sums[..., :order], sums[..., ORDERS : ORDERS + order]
    output_length, reference_length = sums[..., -2], sums[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.exp(np.mean(np.log(matched / possible), axis=-1))
        brevity = np.where(output_length > reference_length, 1.0, np.exp(1 - reference_length / output_length))
    return np.where((matched == 0).any(axis=-1) | (output_length == 0), 0.0, precision * brevity)
