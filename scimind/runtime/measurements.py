"""What a run measures: the loss of each step, and how well the model predicts answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

Value = TypeVar("Value")


def perplexity_of(loss: Any) -> Any:
    """Returns exp(loss) of a token's mean loss in nats; infinite if too large for a float."""
    with np.errstate(over="ignore"):
        return np.exp(loss)


def named_perplexities(whole: Value, by_modality: Mapping[str, Value]) -> dict[str, Value]:
    """Returns the values of all tokens and of each modality under the names of the metrics."""
    return {"perplexity": whole, **{f"perplexity_{name}": value for name, value in by_modality.items()}}


@dataclass(frozen=True)
class EvaluationScore:
    """How well a model predicts answers.

    Args:
        loss: Mean cross entropy of an answer's token, in nats.
        accuracy: Share of answers' tokens whose most probable prediction is right, 0 to 1.
        tokens: Number of answers' tokens that were predicted.
        records: Number of records that were read.
        losses: The loss by the modality of the predicted token, for each modality that occurs in answers.
        parts: The scores of named files, if the data consists of such; all but `losses` then covers them together.
        answers: The scores of the answers that a training's evaluation generated, by name, such as `valid`.
    """

    loss: float
    accuracy: float
    tokens: int
    records: int
    losses: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, EvaluationScore] = field(default_factory=dict)
    answers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> EvaluationScore:
        """Returns the score that `dataclasses.asdict` turned into `values`."""
        parts = {name: cls.of_json(part) for name, part in (values.get("parts") or {}).items()}
        return cls(**{**values, "parts": parts})

    @classmethod
    def of_parts(cls, parts: Mapping[str, EvaluationScore]) -> EvaluationScore:
        """Returns the score of all records of several files: means over all tokens."""
        tokens = sum(part.tokens for part in parts.values())
        records = sum(part.records for part in parts.values())
        if not tokens:
            return cls(math.nan, math.nan, 0, records, parts=parts)
        known = [part for part in parts.values() if part.tokens]
        loss = sum(part.loss * part.tokens for part in known) / tokens
        accuracy = sum(part.accuracy * part.tokens for part in known) / tokens
        return cls(loss, accuracy, tokens, records, parts=parts)

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite if too large for a float."""
        return float(perplexity_of(self.loss))

    @property
    def perplexities(self) -> dict[str, float]:
        """Perplexities of all tokens and of each modality, under the names that `scimind evaluate` uses."""
        of_modality = {name: float(perplexity_of(loss)) for name, loss in self.losses.items()}
        return named_perplexities(self.perplexity, of_modality)


@dataclass
class StepRecord:
    """One row of the loss table; step 0, before training, has only an evaluation and NaN for the rest."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    seconds: float
    evaluation: EvaluationScore | None = None
