"""The agreement computed from counts of picked experts."""

from __future__ import annotations

import math

import numpy as np

from scimind.experts.tuning.report import Agreement


def test_recall_of_a_modality_without_tokens_is_unknown():
    agreement = Agreement.of_counts(np.array([[7, 1, 0, 0]]), np.array([[14, 2, 0, 0]]), 0.1, 2.0)
    assert agreement.recall[0]["text"] == agreement.recall[0]["smiles"] == 0.5
    assert math.isnan(agreement.mean_recall("protein"))
    assert agreement.to_dict()["mean_recall"]["protein"] is None
