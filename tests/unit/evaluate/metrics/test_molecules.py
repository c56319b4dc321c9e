"""Corner cases of the protocols, each with a value worked out by hand."""

from __future__ import annotations

import importlib.util

import pytest
from nltk.translate.bleu_score import corpus_bleu
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from scimind.data.defects import MOST_ATOMS
from scimind.errors import DataError
from scimind.evaluate.metrics.molecule_sets import MoleculeOptions, score_molecules
from scimind.evaluate.metrics.molecules import canonical_smiles, score_molecule, tanimoto
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling
from tests.support.tolerances import EXACT_SUM

PLAIN = Resampling(samples=0)


def items(*pairs):
    return [Item(str(number), output, reference) for number, (output, reference) in enumerate(pairs, 1)]


def scored(*pairs, protocol="lpm24", **options):
    findings = score_molecules(items(*pairs), PLAIN, MoleculeOptions(protocol, **options))
    return {name: score.value for name, score in findings.scores.items()}, findings


def test_valid_unique_exact_and_edits():
    values, findings = scored(("OCC", "CCO"), ("CCO", "CCO"), ("C1CC", "CCO"), ("c1ccccc1", "CCO"))
    assert values["validity"] == 3 / 4
    assert values["exact"] == 2 / 4
    assert values["uniqueness"] == 2 / 3  # ethanol twice, benzene
    assert findings.protocol_values["uniqueness"] == 1.0  # three different texts
    # OCC to CCO: 2 edits; C1CC: 2; c1ccccc1: 8, since no character matches: a c is not a C.
    assert values["levenshtein"] == (2 + 0 + 2 + 8) / 4
    assert findings.counts["invalid_outputs"] == 1


def test_the_empty_output_is_not_a_molecule():
    values, findings = scored(("", "CCO"), ("CCO", "CCO"))
    assert (values["validity"], values["exact"], values["levenshtein"]) == (0.5, 0.5, 1.5)
    assert findings.protocol_values["validity"] == 1.0  # RDKit reads a molecule without atoms
    assert findings.counts["empty_outputs"] == 1
    assert values["morgan"] == 0.5
    left_out, others = scored(("", "CCO"), ("CCO", "CCO"), protocol="molt5")
    assert left_out["morgan"] == 1.0
    assert others.protocol_values["morgan"] == 0.5  # the empty molecule has similarity 0, and is counted


def test_an_invalid_output_counts_0_or_is_left_out():
    pairs = (("C(", "CCO"), ("CCO", "CCO"), ("CCC", "CCO"))
    with_zero, without = scored(*pairs)[0], scored(*pairs, protocol="molt5")[0]
    for name in ("maccs", "rdk", "morgan"):
        assert with_zero[name] * 3 == pytest.approx(without[name] * 2, abs=EXACT_SUM)
        assert with_zero[name] < without[name]


def test_an_output_on_which_rdkit_would_work_for_hours_is_invalid():
    scores = score_molecule(Item("1", "C" * (MOST_ATOMS + 1), "CCO"))
    assert not scores.parses and scores.canonical is None and not scores.exact
    assert score_molecule(Item("1", "C" * 50, "CCO")).parses


@pytest.mark.parametrize("reference", ["C1", "", "C C", None, "C" * (MOST_ATOMS + 1)])
def test_a_bad_reference_is_an_error(reference):
    with pytest.raises(DataError, match="item 2"):
        scored(("CCO", "CCO"), ("C", reference))


def test_two_empty_inchis_are_not_equal():
    # InChI has no identifier for either, a dummy atom and two of them; the texts of both are empty and so the same.
    different = score_molecule(Item("1", "*", "**"))
    assert (Chem.MolToInchi(Chem.MolFromSmiles("*")), Chem.MolToInchi(Chem.MolFromSmiles("**"))) == ("", "")
    assert (different.exact, different.same_inchi) == (False, True)
    assert score_molecule(Item("1", "C*", "*C")).exact
    values, findings = scored(("*", "**"), ("CCO", "OCC"))
    assert (values["exact"], findings.protocol_values["exact"]) == (0.5, 1.0)


def test_morgans_fingerprint_counts():
    # Pentane: 2 CH3, 3 CH2; at radius 1 2 ends, 2 next to them, 1 inside; at radius 2 3 more. Hexane: 2, 4; 2, 2, 2; 4.
    # In common are 5 + 5 + 2 of 13 and 16; of kinds 6, where pentane has 7 and hexane 7.
    pentane, hexane = Chem.MolFromSmiles("CCCCC"), Chem.MolFromSmiles("CCCCCC")
    assert tanimoto("morgan", pentane, hexane) == pytest.approx(12 / (13 + 16 - 12), abs=EXACT_SUM)
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    assert DataStructs.TanimotoSimilarity(make.GetFingerprint(pentane), make.GetFingerprint(hexane)) == 6 / 8
    # Methane and ethane: one atom each kind; C of methane is CH4, ethane's are CH3: nothing in common.
    assert tanimoto("morgan", Chem.MolFromSmiles("C"), Chem.MolFromSmiles("CC")) == 0.0
    # Ethane to itself: 2 of CH3 and, at radius 1, one environment that both atoms share.
    assert make.GetSparseCountFingerprint(Chem.MolFromSmiles("CC")).GetTotalVal() == 3
    assert tanimoto("morgan", Chem.MolFromSmiles("CC"), Chem.MolFromSmiles("CC")) == 1.0


def test_doubled_backslashes_count_as_one():
    values, findings = scored((r"C/C=C\C", r"C/C=C\\C"), ("CCCO", "CCCO"))
    assert (values["levenshtein"], values["exact"], values["bleu"]) == (0, 1, 1)
    assert findings.protocol_values["levenshtein"] == 0.5
    assert findings.protocol_values["bleu"] < 1
    assert findings.counts["repaired_backslashes"] == 1
    # With the output doubled instead; a trans double bond is another molecule.
    assert scored((r"C/C=C\\C", r"C/C=C\C"))[0]["exact"] == 1
    assert scored((r"C/C=C/C", r"C/C=C\\C"))[0]["exact"] == 0


def test_text_after_a_molecule_is_not_read_but_counted():
    values, findings = scored(("CCO is ethanol", "CCO"), ("CCO\n", "CCO"), ("C( C", "CCO"))
    assert (values["validity"], values["exact"]) == (2 / 3, 2 / 3)
    assert findings.counts["outputs_with_white_space"] == 2
    assert canonical_smiles("C(C)(C)(C)(C)C") is None


def test_bleu_is_that_of_nltk():
    pairs = (("CCCO", "CCO"), ("c1ccccc1O", "c1ccccc1N"), ("", "CC"), ("N", "CCN"))
    values, _ = scored(*pairs)
    wanted = corpus_bleu([[list(reference)] for _, reference in pairs], [list(output) for output, _ in pairs])
    assert values["bleu"] == pytest.approx(wanted, abs=EXACT_SUM)


def test_novelty_is_of_canonical_molecules():
    values, _ = scored(("OCC", "CCO"), ("CCC", "CCO"), ("C(", "CCO"), training=frozenset({"CCO"}))
    assert values["novelty"] == 0.5
    assert "novelty" in scored(("C", "C"))[1].not_computed


def test_without_references_only_the_set_is_scored():
    findings = score_molecules([Item("1", "CCO"), Item("2", "OCC"), Item("3", "C(")], PLAIN)
    assert {name: score.value for name, score in findings.scores.items()} == {"validity": 2 / 3, "uniqueness": 0.5}
    assert findings.not_computed["exact"] == "there are no references"


def test_a_metric_that_fails_names_the_item(monkeypatch):
    def fails(name, first, second):
        if name == "rdk" and second.GetNumAtoms() == 3:
            raise RuntimeError("out of paths")
        return 1.0

    monkeypatch.setattr("scimind.evaluate.metrics.molecules.tanimoto", fails)
    values, findings = scored(("CC", "CC"), ("CCC", "CC"))
    assert "rdk" not in values
    assert findings.not_computed["rdk"] == "failed on item 2 (RuntimeError: out of paths)"
    assert values["maccs"] == 1.0


def test_fcd_is_computed_or_says_what_it_needs():
    pairs = [("CCO", "CCO"), ("CCN", "CCN"), ("c1ccccc1", "c1ccccc1"), ("C(", "CC")]
    values, findings = scored(*pairs, with_fcd=True)
    if importlib.util.find_spec("fcd") is None:
        assert findings.not_computed["fcd"] == "the package fcd is not installed; install scimind[fcd]"
    else:
        assert values["fcd"] >= 0
        assert scored(*pairs[:3], with_fcd=True)[0]["fcd"] == pytest.approx(0, abs=1e-3)
        # One molecule that is longer than the network's input does not change the distance of the others.
        long, findings = scored(*pairs, ("C" * 400, "CCO"), with_fcd=True)
        without = scored(*pairs, ("C(", "CCO"), with_fcd=True)[0]
        assert findings.protocol_values["fcd"] > long["fcd"] and findings.counts["long_molecules"] == 1
        assert long["fcd"] == pytest.approx(without["fcd"], abs=1e-6)
