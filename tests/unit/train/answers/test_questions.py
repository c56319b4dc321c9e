"""The questions that are taken from the rows of prepared data."""

from __future__ import annotations

import numpy as np

from scimind.train.answers.questions import Question, evenly_spaced, first_question
from scimind.train.feed.row_answers import answer_runs

EOS, NONE = 2, -100


def test_a_question_ends_where_the_labels_begin() -> None:
    ids, labels = [1, 10, 11, 12, 20, 21, EOS, 0, 0], [NONE, NONE, NONE, NONE, 20, 21, EOS, NONE, NONE]
    assert first_question(ids, labels, EOS) == Question((1, 10, 11, 12), (20, 21), True)


def test_an_answer_without_an_end_is_seen() -> None:
    question = first_question([1, 10, 20, 21, 0], [NONE, NONE, 20, 21, NONE], EOS)
    assert question == Question((1, 10), (20, 21), False)


def test_of_a_row_with_several_records_the_first_is_taken() -> None:
    ids = [1, 10, 20, EOS, 1, 11, 30, EOS]
    labels = [NONE, NONE, 20, EOS, NONE, NONE, 30, EOS]
    assert first_question(ids, labels, EOS) == Question((1, 10), (20,), True)
    assert answer_runs(np.array(labels)) == [(2, 4), (6, 8)]


def test_a_text_without_a_question_and_an_empty_answer_are_skipped() -> None:
    assert first_question([1, 10, 11, EOS], [NONE, 10, 11, EOS], EOS) is None
    assert first_question([1, 10, EOS], [NONE, NONE, EOS], EOS) is None
    assert first_question([1, 10, 11], [NONE, NONE, NONE], EOS) is None


def test_rows_are_spread_over_the_whole_data() -> None:
    assert evenly_spaced(100, 4).tolist() == [0, 33, 66, 99]
    assert evenly_spaced(3, 32).tolist() == [0, 1, 2]
    assert evenly_spaced(0, 32).tolist() == []
