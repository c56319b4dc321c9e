"""Several labels of each molecule: means over the labels, compared with scikit-learn label by label."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

from scimind.errors import DataError
from scimind.evaluate.metrics.multilabel import score_multilabel
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling

PLAIN = Resampling(samples=0)


def random_items(seed, with_chance=True):
    draw = np.random.default_rng(seed)
    found = []
    for place in range(40):
        for name, share in (("Eye disorders", 0.3), ("Investigations", 0.7), ("Product issues", 0.0)):
            truth = draw.random() < share
            chance = round(float(np.clip(draw.normal(0.6 if truth else 0.4, 0.2), 0, 1)), 1)  # with ties
            given = "yes" if chance > 0.5 else "no"
            extra = {"probabilities": {"yes": chance, "no": 1 - chance}} if with_chance else {}
            found.append(Item(f"sider-{place}:{name}", given, "yes" if truth else "no", extra=extra))
    return found


def test_means_over_the_labels_agree_with_scikit_learn():
    items = random_items(0)
    findings = score_multilabel(items, PLAIN)
    expected = {"f1": [], "mcc": [], "auroc": []}
    for name in ("Eye disorders", "Investigations"):
        own = [item for item in items if item.id.endswith(name)]
        truth = [item.reference == "yes" for item in own]
        given = [item.output == "yes" for item in own]
        expected["f1"].append(f1_score(truth, given))
        expected["mcc"].append(matthews_corrcoef(truth, given))
        expected["auroc"].append(roc_auc_score(truth, [item.extra["probabilities"]["yes"] for item in own]))
        assert findings.details["labels"][name]["auroc"] == pytest.approx(expected["auroc"][-1])
    for name, values in expected.items():
        assert findings.scores[name].value == pytest.approx(np.mean(values))
    assert findings.details["labels"]["Product issues"]["auroc"] is None
    assert findings.counts["labels"] == 3 and findings.counts["labels_with_one_answer"] == 1
    # Not the scores of all items together.
    truth = [item.reference == "yes" for item in items]
    pooled = roc_auc_score(truth, [item.extra["probabilities"]["yes"] for item in items])
    assert findings.scores["auroc"].value != pytest.approx(pooled, abs=1e-3)
    assert "auprc" not in findings.scores


def test_intervals_and_answers_without_probabilities():
    findings = score_multilabel(random_items(1), Resampling(samples=50))
    for name in ("f1", "mcc", "auroc"):
        assert findings.scores[name].low < findings.scores[name].value < findings.scores[name].high
    findings = score_multilabel(random_items(1, with_chance=False), PLAIN)
    assert "auroc" not in findings.scores and "needs" in findings.not_computed["auroc"]


def test_an_id_without_a_label_and_unclear_answers_are_errors():
    with pytest.raises(DataError, match="the id of item 7 does not end in the name of its label"):
        score_multilabel([Item("7", "yes", "yes"), Item("8", "no", "no")], PLAIN)
    with pytest.raises(DataError, match="not clear which of left, right is positive; give --positive_label"):
        score_multilabel([Item("7:a", "left", "right"), Item("8:a", "left", "left")], PLAIN)
