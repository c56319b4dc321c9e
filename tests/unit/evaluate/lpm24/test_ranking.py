from __future__ import annotations

import copy
import json
import re

import pytest

from scimind.errors import SciMindError
from scimind.evaluate.lpm24.ranking import CAPTION_METRICS, MOLECULE_METRICS, NODES, rank, read_metrics
from tests.support.tolerances import EXACT_SUM


def molecules(**values):
    table = dict.fromkeys([prefix + name for prefix in ("", "withheld_") for name in MOLECULE_METRICS], 0.5) | values
    return {
        "group": "molecules",
        "protocol": "lpm24",
        "items": 10,
        "metrics": {name: {"value": value} for name, value in table.items()},
        "protocol_values": {},
        "not_computed": {},
    }


def captions(value):
    return {
        "group": "captions",
        "protocol": "lpm24",
        "items": 10,
        "metrics": {name: {"value": value} for name in CAPTION_METRICS},
        "protocol_values": {},
        "not_computed": {},
        "details": {"properties": {name: {"f1_protocol": value} for name in NODES}},
    }


def test_captions_gain_percentage_points():
    assert rank(captions(0.5), [captions(0.75), captions(0.5)]) == [pytest.approx(25), 0]
    better = captions(0.5)
    better["metrics"]["meteor"]["value"] = 0.74
    assert rank(captions(0.5), [better]) == [pytest.approx(24 / 24, abs=EXACT_SUM)]


def test_molecules_by_hand():
    # 14 values: two of percentage points, an edit distance, and FCD against the largest of all, 3.
    entry = molecules(bleu=0.6, withheld_validity=0.4, levenshtein=0.25, fcd=2.0, withheld_fcd=3.5)
    worst = molecules(fcd=3.0, withheld_fcd=3.0)
    gains = 10 - 10 + 0.25 + (3 - 2) + (3 - 3.5)
    assert rank(molecules(fcd=1.0), [entry, worst])[0] == pytest.approx(gains / 14, abs=EXACT_SUM)


def test_the_protocols_value_is_ranked_and_a_baseline_of_0_gives_no_gain():
    entry = molecules(bleu=0.6, fcd=1.0, withheld_fcd=1.0)
    entry["protocol_values"]["bleu"] = 0.7
    base = molecules(fcd=1.0, withheld_fcd=1.0)
    assert rank(base, [entry])[0] == pytest.approx(20 / 14, abs=EXACT_SUM)
    base["metrics"]["bleu"]["value"] = 0
    assert rank(base, [entry])[0] == 0


def test_what_cannot_be_ranked_is_an_error(tmp_path):
    lacking = molecules()
    del lacking["metrics"]["fcd"]
    lacking["not_computed"]["fcd"] = "needs --fcd"
    with pytest.raises(SciMindError, match="the ranking needs fcd: needs --fcd"):
        rank(molecules(), [lacking])
    with pytest.raises(SciMindError, match="group"):
        rank(molecules(), [captions(0.5)])
    other = copy.deepcopy(molecules())
    other["items"] = 9
    with pytest.raises(SciMindError, match="items"):
        rank(molecules(), [other])
    path = tmp_path / "m.json"
    path.write_text(json.dumps({**molecules(), "protocol": "molt5"}))
    with pytest.raises(SciMindError, match="protocol molt5"):
        read_metrics(path)
    path.write_text("{}")
    with pytest.raises(SciMindError, match="holds no metrics"):
        read_metrics(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metrics": {"bleu2": {}}}, "metrics.bleu2.value is missing"),
        ({"metrics": [1]}, "metrics ([1]) must be names with values"),
        ({"protocol_values": {"bleu2": "x"}}, "protocol_values.bleu2 ('x')"),
        ({"items": "many"}, "items ('many')"),
        ({"details": 5}, "details (5)"),
        ({"details": {"properties": {"Biomedical": 1}}}, "details.properties.Biomedical (1)"),
        ({"not_computed": {"fcd": None}}, "not_computed.fcd"),
    ],
)
def test_metrics_of_another_form_are_refused(tmp_path, change, reason):
    path = tmp_path / "m.json"
    path.write_text(json.dumps(captions(0.5) | change))
    with pytest.raises(SciMindError, match=f"is not a file of metrics .{re.escape(reason)}"):
        read_metrics(path)


def test_metrics_without_properties_are_not_ranked(tmp_path):
    for details in ({}, {"properties": {"Biomedical": {}}}):
        path = tmp_path / "m.json"
        path.write_text(json.dumps(captions(0.5) | {"details": details}))
        with pytest.raises(SciMindError, match="the tree of properties lacks"):
            rank(captions(0.5), [read_metrics(path)])
