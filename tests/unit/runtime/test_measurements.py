"""Scores of several files together, and as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from scimind.runtime.measurements import EvaluationScore


def test_a_score_of_parts_is_the_mean_over_all_tokens() -> None:
    parts = {"a": EvaluationScore(2.0, 0.5, 30, 3), "b": EvaluationScore(1.0, 1.0, 10, 2)}
    score = EvaluationScore.of_parts(parts)
    assert (score.loss, score.accuracy, score.tokens, score.records) == (1.75, 0.625, 40, 5)
    assert score.parts == parts
    assert math.isnan(EvaluationScore.of_parts({"a": EvaluationScore(math.nan, math.nan, 0, 3)}).loss)


def test_a_score_is_restored_from_json() -> None:
    parts = {"a": EvaluationScore(2.0, 0.5, 30, 3, {"text": 2.0}), "b": EvaluationScore(1.0, 1.0, 10, 2)}
    score = EvaluationScore.of_parts(parts)
    assert EvaluationScore.of_json(json.loads(json.dumps(asdict(score)))) == score


def test_perplexities_have_the_names_of_the_metrics() -> None:
    score = EvaluationScore(math.log(4), 0.5, 8, 2, {"text": 0.0, "smiles": math.log(16)})
    assert {name: round(value, 9) for name, value in score.perplexities.items()} == {
        "perplexity": 4,
        "perplexity_text": 1,
        "perplexity_smiles": 16,
    }


def test_perplexity_of_a_hopeless_loss_is_infinite() -> None:
    assert EvaluationScore(1000.0, 0.0, 1, 1).perplexity == math.inf
