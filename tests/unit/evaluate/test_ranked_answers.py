"""Files with several answers to a prompt: lists in JSON, and rows with ranks."""

from __future__ import annotations

import json

import pytest

from scimind.errors import DataError
from scimind.evaluate.predictions import read_items

FIRST, SECOND = {"output": "CCO", "log_likelihood": -1.25}, {"output": "OCCN", "log_likelihood": -2.5}


def write(path, *entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return path


def answers(items):
    return [(item.id, item.answers, item.log_likelihoods) for item in items]


def test_a_prompt_has_the_answers_of_its_list(tmp_path):
    rows = [
        {"id": "a", "output": "CCO", "reference": "OCC", "outputs": [FIRST, SECOND]},
        {"id": "b", "output": "C", "outputs": [{"output": "C", "log_likelihood": None}]},
        {"id": "c", "output": "", "finish_reason": "none", "message": "nothing fits", "outputs": []},
        {"id": "d", "output": "", "finish_reason": "error", "message": "cannot be read"},
    ]
    items = read_items(write(tmp_path / "p.jsonl", *rows))
    assert answers(items) == [
        ("a", ("CCO", "OCCN"), (-1.25, -2.5)),
        ("b", ("C",), ()),
        ("c", ("",), ()),
        ("d", ("",), ()),
    ]
    assert [item.output for item in items] == ["CCO", "C", "", ""]
    assert items[0].reference == "OCC"


def test_a_file_of_one_prompt_is_not_a_list_of_its_answers(tmp_path):
    # An object that holds nothing but a list of records wraps them.
    path = write(tmp_path / "p.jsonl", {"id": "a", "output": "CCO", "outputs": [FIRST, SECOND]})
    assert answers(read_items(path)) == [("a", ("CCO", "OCCN"), (-1.25, -2.5))]
    path = write(tmp_path / "w.json", {"outputs": [FIRST, SECOND], "model": "another"})
    assert answers(read_items(path)) == [("1", ("CCO",), ()), ("2", ("OCCN",), ())]


@pytest.mark.parametrize("name", ["outputs", "predictions", "generated"])
def test_a_list_of_texts_holds_the_answers_best_first(tmp_path, name):
    path = write(tmp_path / "p.jsonl", {name: ["CCO", "CCN", ""]}, {name: []}, {name: "CCC"})
    assert answers(read_items(path)) == [("1", ("CCO", "CCN", ""), (None,) * 3), ("2", ("",), ()), ("3", ("CCC",), ())]


def test_a_text_outputs_is_an_output_or_a_column_like_any_other(tmp_path):
    items = read_items(write(tmp_path / "p.jsonl", {"outputs": "CCO"}, {"output": "C", "outputs": "a note"}))
    assert answers(items) == [("1", ("CCO",), ()), ("2", ("C",), ())]
    assert items[1].extra == {"outputs": "a note"}


def test_the_list_can_be_chosen_over_another_output(tmp_path):
    path = write(tmp_path / "p.jsonl", {"output": "CCO", "outputs": ["CCN", "CCO"]})
    assert read_items(path, chosen={"output": "outputs"})[0].answers == ("CCN", "CCO")


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({"output": "C", "outputs": 3}, '"outputs" must be a list of answers'),
        ({"output": "C", "outputs": {"output": "C"}}, '"outputs" must be a list of answers'),
        ({"output": "C", "outputs": [{"output": "C"}, {"text": "N"}]}, 'answer 2 of "outputs" needs "output"'),
        ({"output": "C", "outputs": ["C", 3]}, 'answer 2 of "outputs" needs "output" with a text'),
        ({"output": "C", "outputs": [{"output": None}]}, 'answer 1 of "outputs" needs "output" with a text'),
        (
            {"output": "C", "outputs": [{"output": "C", "log_likelihood": "x"}]},
            '"log_likelihood" of answer 1 .* must be a number',
        ),
        (
            {"output": "C", "outputs": [{"output": "C", "log_likelihood": True}]},
            '"log_likelihood" of answer 1 .* must be a number',
        ),
        ({"output": "C", "outputs": [SECOND, FIRST]}, '"outputs" must begin with "output"'),
        ({"output": "C", "outputs": []}, '"outputs" must begin with "output"'),
        ({"outputs": [["C"]]}, 'answer 1 of "outputs" needs "output" with a text'),
        ({"outputs": None}, 'each line needs "output" with a text'),
    ],
)
def test_a_faulty_list_is_an_error_with_its_line(tmp_path, entry, match):
    path = write(tmp_path / "p.jsonl", {"output": "C", "outputs": ["C", "N"]}, entry)
    with pytest.raises(DataError, match=rf"p\.jsonl:2: {match}") as caught:
        read_items(path)
    assert "\n" not in str(caught.value)


HEADER = "id,rank,output,canonical,log_likelihood,finish_reason,reference\n"


def table(path, *rows):
    path.write_text(HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_with_ranks_are_the_answers_of_their_prompts(tmp_path):
    rows = [
        ("a", 2, "OCCN", "NCCO", -2.5, "stop", "OCC"),
        ("b", 1, "C", "C", -1, "stop", "C"),
        ("a", 1, "CCO", "CCO", -1.25, "stop", "OCC"),
        ("c", "", "", "", "", "error", "N"),
    ]
    items = read_items(table(tmp_path / "p.csv", *rows))
    assert answers(items) == [("a", ("CCO", "OCCN"), (-1.25, -2.5)), ("b", ("C",), ()), ("c", ("",), ())]
    assert [(item.reference, item.input) for item in items] == [("OCC", None), ("C", None), ("N", None)]
    assert items[2].extra["finish_reason"] == "error"
    right = tmp_path / "r.txt"
    right.write_text("OCC\nC\nN\n")
    assert answers(read_items(tmp_path / "p.csv", right)) == answers(items)


def test_both_forms_and_parquet_and_workbooks_give_the_same_answers(tmp_path):
    import pandas as pd

    path = table(tmp_path / "p.csv", ("a", 1, "CCO", "", -1.25, "", "C"), ("a", 2, "OCCN", "", -2.5, "", "C"))
    frame = pd.read_csv(path)
    frame.to_parquet(tmp_path / "p.parquet")
    frame.to_excel(tmp_path / "p.xlsx", index=False)
    list_form = write(tmp_path / "p.jsonl", {"id": "a", "output": "CCO", "outputs": [FIRST, SECOND]})
    for other in (path, tmp_path / "p.parquet", tmp_path / "p.xlsx"):
        assert answers(read_items(other)) == answers(read_items(list_form))


def test_a_rank_beside_ids_that_differ_is_a_column_like_any_other(tmp_path):
    path = table(tmp_path / "p.csv", ("a", 7, "C", "", "", "", "C"), ("b", "first", "N", "", "", "", "N"))
    assert [item.answers for item in read_items(path)] == [("C",), ("N",)]


@pytest.mark.parametrize(
    ("ranks", "match"),
    [
        ((1, 3), "3: id 'a' has no answer of rank 2; number the answers from 1"),
        ((2, 3), "3: id 'a' has no answer of rank 1"),
        ((1, 1), "3: id 'a' already has rank 1 on line 2"),
        ((1, 0), r"3: rank \(0\) must be a whole number from 1"),
        ((1, "1.5"), r"3: rank \(1\.5\) must be a whole number from 1"),
        ((1, "best"), r"3: rank \(best\) must be a whole number from 1"),
        ((1, "9" * 5000), "3: rank .* must be a whole number from 1"),
        ((1, ""), "3: id 'a' is already on line 2; make the ids unique, or number the answers"),
    ],
)
def test_ranks_with_gaps_or_repeated_are_errors(tmp_path, ranks, match):
    rows = [("a", rank, "C", "", "", "", "C") for rank in ranks]
    with pytest.raises(DataError, match=rf"p\.csv:{match}"):
        read_items(table(tmp_path / "p.csv", *rows, ("b", 1, "C", "", "", "", "C")))


def test_a_prompt_has_one_reference(tmp_path):
    path = table(tmp_path / "p.csv", ("a", 1, "C", "", "", "", "C"), ("a", 2, "N", "", "", "", "N"))
    with pytest.raises(DataError, match=r"p\.csv:3: id 'a' has another reference on line 2"):
        read_items(path)
