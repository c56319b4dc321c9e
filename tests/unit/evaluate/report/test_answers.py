"""Several answers to a prompt on the page: which are shown, what is drawn, and the way over the table of items."""

from __future__ import annotations

import json
import re

import pytest

from scimind.errors import DataError
from scimind.evaluate.evaluation import EvaluateOptions, Evaluation, evaluate
from scimind.evaluate.report.items import MOST_ANSWERS
from scimind.evaluate.report.page import PageOptions, render_page
from scimind.evaluate.report.sources import read_rows
from scimind.evaluate.resampling import Resampling
from scimind.evaluate.results import write_rows
from tests.unit.evaluate.report.conftest import HOSTILE


def data_of(evaluation, **options):
    page = render_page(evaluation, PageOptions("t", **options))
    return json.loads(re.search('id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_first_answers_and_the_first_right_one_are_shown(ranked_molecules):
    data = data_of(ranked_molecules)
    assert list(data["answers"]) == ["0", "1"]  # the third prompt has one answer, the fourth none
    many = data["answers"]["1"]
    assert [answer["rank"] for answer in many["shown"]] == [*range(1, MOST_ANSWERS + 1), 13]
    assert [answer["isExact"] for answer in many["shown"]] == [False] * MOST_ANSWERS + [True]
    assert many["more"] == 14 - MOST_ANSWERS - 1
    first, second = data["answers"]["0"]["shown"][:2]
    assert (first["text"], first["logLikelihood"], first["isExact"]) == ("CCN", -1.5, False)
    assert (second["text"], second["logLikelihood"], second["isExact"]) == ("OCC", -2.25, True)
    assert first["similarity"] == pytest.approx(1 / 3, rel=1e-4)


def test_every_valid_answer_that_is_shown_is_drawn(ranked_molecules):
    data = data_of(ranked_molecules)
    for place, listed in data["answers"].items():
        drawing = data["drawings"][place]
        pictures = [drawing["right"], *drawing["further"]]
        assert len(pictures) == len(listed["shown"])
        for picture, answer in zip(pictures, listed["shown"], strict=True):
            assert (picture is not None) == (answer["text"] not in ("C((", HOSTILE))
    assert data_of(ranked_molecules, drawings=0)["drawings"] == {}


def test_a_page_from_the_table_of_items_is_the_same(ranked_molecules, tmp_path):
    path = tmp_path / "items.jsonl"
    write_rows(path, ranked_molecules.rows)
    again = Evaluation(ranked_molecules.metrics, read_rows(path, ranked_molecules.metrics))
    assert data_of(again) == data_of(ranked_molecules)
    lines = path.read_text().splitlines()
    for answers in ("CCO", ["CCO"], [{"output": 3}], [{"exact": True}], [{"output": "C", "read": 3}]):
        path.write_text("\n".join([*lines[:-1], json.dumps({"id": "4", "output": "C", "answers": answers})]) + "\n")
        with pytest.raises(DataError, match=r"items\.jsonl:4: is not the row of an item"):
            read_rows(path, ranked_molecules.metrics)


def test_answers_in_words_are_listed_without_pictures(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"prompt": "CCO", "outputs": ["A base.", "An acid."], "reference": "An acid."}))
    data = data_of(evaluate(EvaluateOptions("captions", path, resampling=Resampling(0))))
    assert [(a["text"], a["isExact"]) for a in data["answers"]["0"]["shown"]] == [
        ("A base.", False),
        ("An acid.", True),
    ]
    assert data["drawings"]["0"]["further"] == []


def test_one_answer_for_each_prompt_has_no_list(molecules):
    page = render_page(molecules, PageOptions("t"))
    assert data_of(molecules)["answers"] == {}
    assert "best first" not in page.split("<script")[0]
