"""Rows of predictions as objects, frames and HTML."""

from __future__ import annotations

import numpy as np
import pytest

from scimind.api.results import ExpertUse, Prediction, Predictions, texts_of
from scimind.errors import SciMindError

ANSWERED = {
    "id": "a",
    "prompt": " [INST]: <it> [/INST]:",
    "output": "CCO",
    "log_likelihood": -1.5,
    "canonical": "CCO",
    "finish_reason": "stop",
    "outputs": [
        {"output": "CCO", "log_likelihood": -1.5, "canonical": "CCO", "finish_reason": "stop"},
        {"output": "CCN", "log_likelihood": -2.5, "canonical": "CCN", "finish_reason": "completed"},
    ],
    "reference": "CCO",
}
FAILED = {"id": "b", "prompt": "", "output": "", "finish_reason": "error", "message": "the prompt is empty"}
CHOSEN = {
    "id": "c",
    "prompt": "?",
    "output": "yes",
    "finish_reason": "choice",
    "probabilities": {"no": 0.25, "yes": 0.75},
    "log_likelihoods": {"no": -3.0, "yes": -2.0},
}


def test_a_row_becomes_a_prediction_with_all_its_answers() -> None:
    answered, failed, chosen = map(Prediction.of_row, (ANSWERED, FAILED, CHOSEN))
    assert [(one.text, one.log_likelihood) for one in answered.answers] == [("CCO", -1.5), ("CCN", -2.5)]
    assert answered.canonical == answered.reference == "CCO" and answered.row is ANSWERED
    assert (failed.answer, failed.answers, failed.log_likelihood) == ("", (), None) and failed.message
    assert (chosen.answer, chosen.log_likelihood, chosen.probabilities["no"]) == ("yes", -2.0, 0.25)


def test_molecules_are_drawn_and_texts_are_escaped() -> None:
    html = Prediction.of_row(ANSWERED)._repr_html_()
    assert html.count("<svg") == 3 and "&lt;it&gt;" in html and "<it>" not in html
    assert "<svg" not in Prediction.of_row(CHOSEN)._repr_html_()
    many = Predictions([Prediction.of_row(FAILED)] * 7)._repr_html_()
    assert many.count("the prompt is empty") == 5 and "2 more" in many


def test_a_frame_has_a_row_for_each_prediction() -> None:
    frame = Predictions(map(Prediction.of_row, (ANSWERED, FAILED))).to_frame(index=["x", "y"])
    assert list(frame.index) == ["x", "y"] and list(frame["answer"]) == ["CCO", ""]
    assert frame["answers"]["x"] == ["CCO", "CCN"] and frame["answers"]["y"] == []


def test_shares_of_experts_are_means_over_tokens_and_layers() -> None:
    active = np.array([[[1, 0], [0, 1], [1, 1]], [[1, 0], [1, 0], [0, 0]]], bool)
    use = ExpertUse(("<s>", "C", "O"), ("text", "smiles", "smiles"), active)
    assert use.of_token(2) == [0, 1] and use.of_token(2, layer=1) == []
    assert use.share()["text"].tolist() == [1.0, 0.0] and use.share()["smiles"].tolist() == [0.5, 0.5]


def test_what_is_not_text_is_named() -> None:
    assert texts_of("CCO", "sequence") == ["CCO"]
    with pytest.raises(SciMindError, match=r"sequence 1 \(3\) is not text"):
        texts_of(["C", 3], "sequence")
