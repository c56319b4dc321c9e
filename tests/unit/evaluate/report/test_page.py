from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import escape

from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.report.charts import curves, histogram, scatter
from scimind.evaluate.report.items import ItemTable
from scimind.evaluate.report.page import PageOptions, render_page
from scimind.evaluate.report.sources import published
from scimind.evaluate.resampling import Resampling
from tests.unit.evaluate.report.conftest import HOSTILE, MOLECULES, evaluate_rows


class Page(HTMLParser):
    """Collects the text of each element with an id and everything that a page could load."""

    def __init__(self, html):
        super().__init__()
        self.loads, self.scripts, self.tags = [], [], []
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._in_script = tag == "script"
        self.loads += [
            v for k, v in attrs if k in ("src", "href", "srcset", "action") and not v.startswith(("#", "data:"))
        ]

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script:
            self.scripts.append(data)


def data_of(html):
    return json.loads(Page(html).scripts[0])


def test_everything_is_in_the_page_and_texts_do_not_become_markup(molecules):
    html = render_page(molecules, PageOptions(f"Title {HOSTILE}"))
    page = Page(html)
    assert page.loads == []
    assert page.tags.count("script") == 2  # the hostile texts have not become elements
    assert "img" not in page.tags
    data = data_of(html)
    assert data["items"]["input"][4] == HOSTILE
    assert data["items"]["id"] == [row[0] for row in MOLECULES]
    assert data["items"]["scores"]["morgan"][2] is None
    assert data["items"]["flags"]["exact"][:5] == [1, 0, 0, 0, 0]


def test_scores_and_intervals_are_shown(molecules):
    html = render_page(molecules, PageOptions("t"))
    for score in molecules.metrics["metrics"].values():
        assert f"{score['value']:.4f}" in html or f"{score['value']:,.2f}" in html
    validity = molecules.metrics["metrics"]["validity"]
    assert f"{validity['low']:.4f} – {validity['high']:.4f}" in html
    assert "as computed by the published script" in html  # the empty output


def test_published_results_are_shown_only_for_the_test_set_that_they_are_of(molecules):
    assert "not measured here" not in render_page(molecules, PageOptions("t"))  # of 45 items
    whole = replace(molecules, metrics=molecules.metrics | {"items": 21805})
    html = render_page(whole, PageOptions("t"))
    assert "not measured here" in html
    for row in published()["molecules"]:
        assert escape(row["model"]) in html
    assert "0.7344" in html  # SciMind's BLEU on L+M-24
    assert html.index("PLAIN <small>published") > 0  # the first of its source


def test_published_results_are_within_their_ranges():
    known = published()
    for group in ("captions", "molecules"):
        names = list(known[group][0]["values"])
        for model in known[group]:
            assert list(model["values"]) == names
            for name, value in model["values"].items():
                assert value is None or (value > 0.2 if name in ("levenshtein", "fcd") else 0 <= value <= 1)
    assert [len(known[group]) for group in ("captions", "molecules")] == [20, 15]  # every row of the source
    best = max(known["captions"], key=lambda model: model["values"]["property_f1"])
    assert (best["model"], best["values"]["property_f1"]) == ("RAG_SIM_098", 0.26986)


def test_numbers_have_a_scatter_plot_and_their_largest_errors(numbers):
    html = render_page(numbers, PageOptions("t"))
    plot = html.partition('id="scatter"')[2].partition("</section>")[0]
    assert plot.count('class="point"') == 31  # one output is no number
    assert plot.count('class="diagonal"') == 1
    score = numbers.metrics["metrics"]["rmse"]
    assert f"RMSE {score['value']:.4f} ({score['low']:.4f} – {score['high']:.4f})" in plot
    assert "the mean of the references" in plot
    table = html.partition('id="largest"')[2].partition("</section>")[0]
    rows = table.split("<tr>")[2:]
    assert len(rows) == 10
    assert ">worst<" in rows[0] and "-9<" in rows[0]
    assert all("<svg" in row for row in rows)
    assert 'id="extremes"' not in html
    assert "Length in" not in html
    assert data_of(html)["items"]["common"] == [None] * 32


def test_dots_lie_where_their_values_are():
    plot = scatter([(0.0, 0.0), (1.0, 1.0), (1.0, 0.0)], "measured", "predicted")
    places = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', plot)]
    (left, bottom), (right, top), (third_x, third_y) = places
    assert left < right and bottom > top
    assert (third_x, third_y) == (right, bottom)
    assert right - left == pytest.approx(bottom - top)  # both axes have the same scale
    assert scatter([], "x", "y") == ""
    assert scatter([(2.0, 2.0)], "x", "y").count("circle") == 2


def test_losses_are_drawn_on_a_logarithmic_axis():
    line = curves({"loss": [(0, 10.0), (1, 1.0), (2, 0.1), (3, 0.0)]}, "step", "loss", logarithmic=True)
    heights = [float(y) for y in re.findall(r",([\d.]+)", re.search(r'class="line line0" d="M([^"]+)"', line)[1])]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.11)  # equal steps for equal ratios
    assert len(heights) == 3  # 0 has no logarithm


def test_labels_have_no_lengths(labels):
    assert "Length in" not in render_page(labels, PageOptions("t"))


def test_other_protocols_and_tasks_show_no_published_results(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text("output\tground truth\nC\tC\n")
    evaluation = evaluate(EvaluateOptions("molecules", path, protocol="molt5", resampling=Resampling(0)))
    assert "not measured here" not in render_page(evaluation, PageOptions("t"))


def test_best_and_worst_are_by_score_and_leave_invalid_outputs_out(molecules):
    table = ItemTable(molecules.rows, "molecules")
    values = table.rank.values
    worst = table.worst_first()
    assert [values[i] for i in worst] == sorted(v for v in values if v is not None)
    assert [values[i] for i in table.best_first()] == sorted((v for v in values if v is not None), reverse=True)
    assert not {2, 3} & set(worst)


@pytest.mark.parametrize("most", [0, 1, 7, 30, 1000])
def test_a_bounded_number_of_items_is_drawn(molecules, most):
    table = ItemTable(molecules.rows, "molecules")
    chosen = table.to_draw(most)
    assert len(chosen) == min(most, len(MOLECULES))
    assert chosen == sorted(set(chosen))
    if most >= 20:
        assert set(table.worst_first()[:4]) | set(table.best_first()[:4]) <= set(chosen)


def test_a_caption_has_its_molecule_and_its_differences(captions):
    data = data_of(render_page(captions, PageOptions("t")))
    assert data["items"]["input"][0] == "Please describe the molecule: CCO"
    assert set(data["drawings"]) == {"0", "1", "2"}
    assert data["items"]["common"][1] == [0, 0, 7]
    assert data["items"]["common"][0] == [0, 0, 3, 4, 5, 1]


def test_labels_and_losses_have_a_page_too(tmp_path):
    rows = [("1", "p", "yes", "yes"), ("2", "q", "no", "yes"), ("3", "r", "no", "no")]
    page = render_page(evaluate_rows(tmp_path / "l.jsonl", "promoter", rows), PageOptions("t"))
    assert "Confusion matrix" in page
    assert data_of(page)["items"]["flags"]["right"] == [1, 0, 1]
    losses = tmp_path / "losses.tsv"
    losses.write_text("modality\tloss\ttokens\tid\ntext\t4\t4\ta\nsmiles\t1\t2\ta\ntext\t9\t3\tb\n")
    page = render_page(evaluate(EvaluateOptions("pretrain", losses, resampling=Resampling(0))), PageOptions("t"))
    data = data_of(page)
    assert data["items"]["scores"]["loss"] == [pytest.approx(5 / 6, rel=1e-4), 3.0]
    assert data["worst"] == [1, 0]
    assert data["items"]["output"] == [None, None]


def test_outputs_without_references_have_a_page(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("CCO\nC((\n")
    evaluation = evaluate(EvaluateOptions("text2smiles", path, resampling=Resampling(0)))
    data = data_of(render_page(evaluation, PageOptions("t")))
    assert data["items"]["reference"] == [None, None]
    assert data["drawings"]["0"]["left"] is None and data["drawings"]["0"]["right"].startswith("<svg")
    assert data["worst"] == data["best"] == []


def test_a_histogram_counts_every_value():
    values = np.random.default_rng(0).normal(50, 20, 1000)
    svg = histogram({"outputs": values, "references": values[:10]}, "length")
    counts = [int(n) for n in re.findall(r"outputs: (\d+) from", svg)]
    assert sum(counts) == 1000
    assert "≥ " in svg
    assert 'class="outline"' in svg
    assert histogram({}, "x") == "" == curves({}, "x", "y")
    one = histogram({"a": [0.5, 1.0, 0.0]}, "x", unit_range=True)
    assert one.count("<rect") == 3


def test_a_curve_keeps_its_ends_and_leaves_out_what_is_not_finite():
    points = [(float(i), 1 / (i + 1)) for i in range(2000)] + [(2000.0, math.nan)]
    svg = curves({"loss <b>": points, "none": []}, "step", "loss")
    path = re.search(r'class="line line0" d="M([^"]*)"', svg)[1].split("L")
    assert len(path) <= 502
    assert path[0].startswith("44.0,8.0") and path[-1].startswith("352.0,")
    assert "<b>" not in svg
