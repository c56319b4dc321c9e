from __future__ import annotations

import pytest

from scimind.errors import DataError
from scimind.evaluate.metrics.sequences import read_sequence, score_proteins, sequence_identity
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling

PLAIN = Resampling(samples=0)


def test_reads_outputs_of_models():
    assert read_sequence("<protein>mkv l\n*</protein>") == "MKVL"


def test_identity_by_hand():
    pytest.importorskip("parasail", reason="scimind[evaluate] installs it")
    assert sequence_identity("MKVLA", "MKVLA") == 1
    assert sequence_identity("MKVLA", "MKILA") == 4 / 5
    assert sequence_identity("MKVLAWWWWW", "MKVLA") == 5 / 10  # the gap at the end counts in the length
    assert sequence_identity("WMKVLAWCHY", "MKVLAWCHY") == 9 / 10
    assert sequence_identity("A" * 3000, "A" * 3000) == 1  # scores beyond the aligner's 16 bits


def test_scores_of_a_set():
    rows = [
        Item("1", "MKVLA", "MKVLA"),
        Item("2", "", "MKVLA"),
        Item("3", "MK1LA", "MKVLA"),
        Item("4", "MKVLAMKVLA", "MKVLA"),
    ]
    findings = score_proteins(rows, PLAIN)
    found = {name: score.value for name, score in findings.scores.items()}
    assert (found["validity"], found["exact"], found["length_ratio"]) == (0.5, 0.25, 1.5)
    assert found["levenshtein"] == (0 + 5 + 1 + 5) / 4
    if "identity" not in findings.not_computed:
        assert found["identity"] == (1 + 0 + 0 + 0.5) / 4
    assert findings.counts == {"empty_outputs": 1, "invalid_outputs": 2}


@pytest.mark.parametrize("reference", [None, "", "MK1"])
def test_a_bad_reference_is_an_error(reference):
    with pytest.raises(DataError, match="reference of item 1"):
        score_proteins([Item("1", "MKV", reference)], PLAIN)
