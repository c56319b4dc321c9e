"""Predictions in memory are scored as a file of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimind.api.results import Prediction, Predictions
from scimind.api.steps import evaluate_predictions
from scimind.errors import SciMindError

ROWS = [
    {"id": str(n), "prompt": "?", "output": output, "reference": reference, "finish_reason": "stop"}
    for n, (output, reference) in enumerate([("CCO", "OCC"), ("CCN", "CCO"), ("C", "C"), ("CC(C", "CC")])
]


def test_lists_frames_and_files_have_the_same_scores_and_intervals(tmp_path: Path) -> None:
    found = Predictions(map(Prediction.of_row, ROWS))
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    given = (found, found.to_frame(), str(tmp_path / "x.jsonl"), ROWS)
    scores = [evaluate_predictions("molecules", one, samples=100).scores for one in given]
    assert all(one == scores[0] for one in scores)
    validity = scores[0]["validity"]
    assert validity.value == 0.75 and 0 <= validity.low < 0.75 < validity.high <= 1
    others = evaluate_predictions("molecules", found, ["N", "N", "N", "N"], samples=0).scores
    assert others != scores[0] and others["validity"].low is None


def test_references_must_be_as_many() -> None:
    with pytest.raises(SciMindError, match="4 predictions and 1 references"):
        evaluate_predictions("molecules", ROWS, ["C"])
