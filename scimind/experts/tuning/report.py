"""The effect of tuning gates, as JSON and as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from scimind.modality import MODALITY_NAMES


@dataclass(frozen=True)
class Agreement:
    """How well the gates agree with router `activation` on held-out records.

    Args:
        recall: |learned ∩ activation| / |activation| of the top-k for each layer and modality, 0 to 1; NaN for a
            modality without tokens.
        gate_loss: Loss of the gates without the load balance, see `GateLoss`.
        answer_loss: Cross entropy of an answer's token with router `learned`, in nats.
    """

    recall: Sequence[Mapping[str, float]]
    gate_loss: float
    answer_loss: float

    @classmethod
    def of_counts(cls, both: np.ndarray, picked: np.ndarray, gate_loss: float, answer_loss: float) -> Agreement:
        """Returns the agreement computed from counts.

        Args:
            both: Number of experts that both gates and activation pick [layers, modalities].
            picked: Number of experts that activation picks [layers, modalities].
            gate_loss: See the class.
            answer_loss: See the class.
        """
        recall = [
            {name: float(b / p) if p else math.nan for name, b, p in zip(MODALITY_NAMES, *layer, strict=True)}
            for layer in zip(both, picked, strict=True)
        ]
        return cls(recall, gate_loss, answer_loss)

    def mean_recall(self, modality: str) -> float:
        """Returns the mean recall over layers; NaN for a modality without tokens."""
        return sum(layer[modality] for layer in self.recall) / len(self.recall)

    def to_dict(self) -> dict[str, Any]:
        """Returns the content as JSON values."""
        return {
            "recall": [_finite(layer) for layer in self.recall],
            "mean_recall": _finite({name: self.mean_recall(name) for name in MODALITY_NAMES}),
            **_finite({"gate_loss": self.gate_loss, "answer_loss": self.answer_loss}),
        }


@dataclass(frozen=True)
class TuneResult:
    """The result of a tuning.

    Args:
        output_dir: The run's folder.
        checkpoint: The model with its gates, ready for `router: learned`.
        before: Agreement of the gates before tuning.
        after: Agreement of the gates after tuning.
        activation_loss: Cross entropy of an answer's token with router `activation`, in nats.
        held_out: Number of held-out records that all of this was measured on.
        model_config: The settings of `model.model_config` to use the checkpoint with.
        losses: Loss of each step.
        seconds: Duration of the tuning.
    """

    output_dir: Path
    checkpoint: Path
    before: Agreement
    after: Agreement
    activation_loss: float
    held_out: int
    model_config: Mapping[str, Any]
    losses: Sequence[float]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the content as JSON values."""
        return {
            "checkpoint": str(self.checkpoint),
            "held_out_records": self.held_out,
            "steps": len(self.losses),
            "seconds": round(self.seconds, 1),
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            **_finite({"activation_answer_loss": self.activation_loss}),
            "model_config": dict(self.model_config),
        }

    def table(self) -> str:
        """Returns the report as text for display."""
        seen = [name for name in MODALITY_NAMES if not math.isnan(self.after.mean_recall(name))]
        lines = [
            f"Agreement with router activation (recall of its top-k) on {self.held_out} held-out records, "
            "before -> after",
            "layer  " + "".join(f"{name:>20}" for name in seen),
        ]
        pairs = zip(self.before.recall, self.after.recall, strict=True)
        lines += [
            f"{i:>5}  " + "".join(_change(before[name], after[name]) for name in seen)
            for i, (before, after) in enumerate(pairs)
        ]
        means = (_change(self.before.mean_recall(name), self.after.mean_recall(name)) for name in seen)
        lines.append(f"{'mean':>5}  " + "".join(means))
        lines.append(
            f"Loss of an answer's token: router activation {self.activation_loss:.4f}, "
            f"learned {self.before.answer_loss:.4f} -> {self.after.answer_loss:.4f}"
        )
        lines.append("To use it, set in model.model_config:")
        text = yaml.safe_dump(dict(self.model_config), sort_keys=False, default_flow_style=None, width=120)
        return "\n".join(lines + [f"  {line}" for line in text.splitlines()])


def _change(before: float, after: float) -> str:
    """Returns one column of the table."""
    return f"{f'{before:.3f} -> {after:.3f}':>20}"


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Returns rounded values, None for NaN."""
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in values.items()}
