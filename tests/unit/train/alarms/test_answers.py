"""When a training warns of its answers, and what the warning says to do."""

from __future__ import annotations

from typing import Any

import pytest

from scimind.tokenizer import TokenCodec
from scimind.train.alarms.answers import alike_answers, endless_answers

USUAL: dict[str, Any] = {
    **{"cut": 0.875, "step": 40, "is_late": True, "limit": 60, "allowed": 256},
    **{"longest": 30, "without_end": 0, "questions": 32},
}


def test_the_warning_says_what_all_answers_are() -> None:
    codec = TokenCodec()
    warning = alike_answers(codec, codec.encode("Yes", bos=False, eos=True), 1200)
    assert warning.startswith("all 1,200 answers of train_dataset are the same, 'Yes', so")
    assert "check which column" in warning
    assert alike_answers(None, [5, 2], 3).startswith("all 3 answers of train_dataset are the same, so")


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({}, "train for more steps"),
        ({"is_late": False, "without_end": 32}, "32 of the 32 answers of eval_dataset have no end token"),
        ({"is_late": False, "longest": 300}, "set generation.max_new_tokens to 300 or more"),
    ],
)
def test_answers_that_do_not_end_have_a_remedy(change: dict[str, Any], advice: str) -> None:
    warning = endless_answers(**USUAL | change)
    assert warning is not None and advice in warning
    assert warning.startswith("step 40: 28 of 32 generated answers do not end within 60 tokens")


@pytest.mark.parametrize(
    "change", [{"cut": 0.75}, {"cut": 0.5, "longest": 300}, {"cut": 0.0, "without_end": 32}, {"is_late": False}]
)
def test_answers_that_end_and_a_model_at_its_start_are_not_warned_of(change: dict[str, Any]) -> None:
    assert endless_answers(**USUAL | change) is None
