"""Scores of sets of names, by hand and against scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support
from sklearn.preprocessing import MultiLabelBinarizer

from scimind.data import TASKS, find_task
from scimind.data.tasks.outputs import GROUPS
from scimind.errors import DataError, SciMindError
from scimind.evaluate.evaluation import EvaluateOptions, evaluate
from scimind.evaluate.metric_groups import group_of
from scimind.evaluate.metrics.name_sets import score_names
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling


def items_of(*pairs: tuple[str, str]) -> list[Item]:
    return [Item(str(number), output=given, reference=wanted) for number, (given, wanted) in enumerate(pairs)]


def test_names_by_hand() -> None:
    # Right 1 + 2 + 0, given 2 + 2 + 0, wanted 1 + 2 + 3.
    findings = score_names(items_of(("a, b", "A"), ("d, c, c.", "c, d"), ("", "x, y, z")), Resampling(0))
    values = {name: score.value for name, score in findings.scores.items()}
    assert values == pytest.approx({"name_precision": 3 / 4, "name_recall": 3 / 6, "name_f1": 6 / 10, "exact": 1 / 3})
    assert [row["name_f1"] for row in findings.rows] == pytest.approx([2 / 3, 1, 0])
    assert findings.rows[2]["name_precision"] is None
    assert findings.counts == {"empty_outputs": 1}


def test_names_as_scikit_learn_counts_them() -> None:
    draw = np.random.default_rng(3)
    known = [f"property {letter}" for letter in "abcdefgh"]
    sets = [[known[i] for i in draw.choice(8, size=draw.integers(1, 6), replace=False)] for _ in range(120)]
    given, wanted = sets[:60], sets[60:]
    pairs = [(", ".join(a), ", ".join(b)) for a, b in zip(given, wanted, strict=True)]
    scores = score_names(items_of(*pairs), Resampling(50)).scores
    coder = MultiLabelBinarizer().fit([known])
    theirs = precision_recall_fscore_support(coder.transform(wanted), coder.transform(given), average="micro")
    ours = [scores[f"name_{name}"].value for name in ("precision", "recall", "f1")]
    assert ours == pytest.approx(theirs[:3])
    assert scores["name_f1"].low < scores["name_f1"].value < scores["name_f1"].high


def test_a_reference_without_names_is_an_error() -> None:
    with pytest.raises(DataError, match="reference of item 1 is empty"):
        score_names(items_of(("a", "a"), ("a", " , ")), Resampling(0))


def test_every_task_has_a_group_of_metrics() -> None:
    assert {group_of(task) for task in TASKS if task != "conversation"} == set(GROUPS)
    with pytest.raises(SciMindError, match="task conversation has no metrics; name a group"):
        group_of("conversation")


def test_a_users_task_is_scored_by_its_metrics(tmp_path: Path) -> None:
    task = tmp_path / "parts.yaml"
    task.write_text(
        'name: parts\nquestion: "Which groups has {molecule}?"\nanswer: "{groups}"\n'
        "fields:\n  molecule: {kind: smiles}\n  groups: {kind: names}\noutput: {kind: names}\n"
    )
    assert find_task(task).metrics == "names"
    rows = [{"id": "1", "output": "ring, acid", "reference": "acid, ring"}, {"id": "2", "output": "", "reference": "x"}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics = evaluate(EvaluateOptions(str(task), tmp_path / "x.jsonl")).metrics
    assert metrics["group"] == "names" and metrics["metrics"]["exact"]["value"] == 0.5
    task.write_text(task.read_text() + "metrics: captoins\n")
    with pytest.raises(SciMindError, match=r"metrics \('captoins'\) must be one of captions, "):
        group_of(str(task))
