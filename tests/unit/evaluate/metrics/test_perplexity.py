from __future__ import annotations

import json
import math

import pytest

from scimind.errors import DataError
from scimind.evaluate.metrics.perplexity import read_losses, score_losses
from scimind.evaluate.resampling import Resampling

PLAIN = Resampling(samples=0)


def test_sums_and_single_tokens_give_the_same(tmp_path):
    table, lines = tmp_path / "losses.tsv", tmp_path / "losses.jsonl"
    table.write_text("modality\tloss\ntext\t1.0\ntext\t2.0\nsmiles\t0.5\n")
    rows = [{"modality": "text", "loss": 3.0, "tokens": 2}, {"modality": "smiles", "loss": 0.5, "tokens": 1}]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for path in (table, lines):
        findings = score_losses(read_losses(path), PLAIN)
        assert findings.scores["perplexity"].value == pytest.approx(math.exp(3.5 / 3))
        assert findings.scores["perplexity_text"].value == pytest.approx(math.exp(1.5))
        assert findings.scores["perplexity_smiles"].value == pytest.approx(math.exp(0.5))
        assert findings.counts["text_tokens"] == 2
        assert "perplexity_protein" in findings.not_computed


def test_records_are_resampled(tmp_path):
    path = tmp_path / "losses.tsv"
    path.write_text(
        "id\tmodality\tloss\tokens\n".replace("\tokens", "\ttokens") + "a\ttext\t1\t1\na\tsmiles\t2\t1\nb\ttext\t3\t1\n"
    )
    findings = score_losses(read_losses(path), Resampling(samples=200))
    assert len(findings.rows) == 2
    assert findings.scores["perplexity"].low == pytest.approx(math.exp(1.5))
    assert findings.scores["perplexity"].high == pytest.approx(math.exp(3))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("wood\t1", "modality"),
        ("text\tx", "needs"),
        ("text\t-1", "at least 0"),
        ("text\tnan", "at least 0"),
        ("text", "needs"),
    ],
)
def test_wrong_values_are_errors(tmp_path, row, match):
    path = tmp_path / "losses.tsv"
    path.write_text(f"modality\tloss\n{row}\n")
    with pytest.raises(DataError, match=rf"losses\.tsv:2: .*{match}"):
        read_losses(path)
