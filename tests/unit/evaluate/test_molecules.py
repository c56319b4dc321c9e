from __future__ import annotations

import json

import pytest

from scimind.errors import DataError
from scimind.evaluate.molecules import canonical_smiles, score_molecules
from scimind.evaluate.predictions import ScoredPair, read_pairs


def pairs(*outputs, reference=None):
    return [ScoredPair(str(i), output, reference) for i, output in enumerate(outputs)]


def test_counts_valid_unique_and_exact():
    scores = score_molecules(pairs("OCC", "CCO", "C1CC", "", "c1ccccc1", reference="CCO"))
    assert (scores.outputs, scores.valid, scores.exact) == (5, 0.6, 0.4)
    assert scores.unique == pytest.approx(2 / 3)


def test_the_empty_text_is_no_molecule():
    assert canonical_smiles("") is None
    assert canonical_smiles("C(C)(C)(C)(C)C") is None


def test_without_references_there_is_no_exact_match():
    assert score_molecules(pairs("C")).exact is None


def test_a_bad_reference_is_the_datas_fault():
    with pytest.raises(DataError, match="item 0"):
        score_molecules(pairs("C", reference="C1"))


def test_reads_both_kinds_of_file(tmp_path):
    rows, text, right = tmp_path / "p.jsonl", tmp_path / "p.txt", tmp_path / "r.txt"
    rows.write_text(json.dumps({"id": "a", "output": "C", "reference": "CC"}) + "\n")
    text.write_text("C\n\nCC\n")
    right.write_text("C\nC\nC\n")
    assert read_pairs(rows) == [ScoredPair("a", "C", "CC")]
    assert [p.output for p in read_pairs(text, right)] == ["C", "", "CC"]
    right.write_text("C\n")
    with pytest.raises(DataError, match="1 references for 3 predictions"):
        read_pairs(text, right)
    rows.write_text("{\n")
    with pytest.raises(DataError, match="p.jsonl:1"):
        read_pairs(rows)
    with pytest.raises(DataError, match="does not exist"):
        read_pairs(tmp_path / "none.jsonl")
