"""MolT5-small's published predictions on ChEBI-20, against scores computed by the published scripts."""

from __future__ import annotations

import json

import pytest

from scimind.evaluate.metrics.captions import score_captions
from scimind.evaluate.metrics.molecule_sets import PROTOCOLS, MoleculeOptions, summarize_molecules
from scimind.evaluate.metrics.molecules import SIMILARITIES
from scimind.evaluate.predictions import read_items
from scimind.evaluate.resampling import Resampling
from scimind.evaluate.resources.wordnet import find_wordnet
from scimind.parallel import available_cores
from tests.support.shared import shared_file
from tests.support.tolerances import OTHER_RDKIT, OTHER_VERSIONS

PLAIN = Resampling(samples=0)


def golden(name):
    return json.loads(shared_file("data/chebi20/golden_small.json").read_text())["scores"][name]


def test_captions_are_scored_as_published():
    vocabulary = shared_file("data/scibert_vocab/vocab.txt")
    items = read_items(shared_file("data/chebi20/pred-molt5-small-smiles2caption.txt"))
    wordnet = find_wordnet()
    assert wordnet is not None, "install scimind[evaluate]"
    findings = score_captions(items, PLAIN, vocabulary=vocabulary, wordnet=wordnet, workers=available_cores())
    found = {name: score.value for name, score in findings.scores.items()}
    wanted = golden("molt5-small-smiles2caption")
    for ours in ("bleu2", "bleu4", "rouge1", "rouge2", "rouge_l", "meteor"):
        theirs = "rougeL" if ours == "rouge_l" else ours
        assert found[ours] == pytest.approx(wanted[theirs], abs=OTHER_VERSIONS), ours


@pytest.fixture(scope="module")
def molecules(molt5_molecules):
    _, items, scores = molt5_molecules
    return {p: summarize_molecules(items, scores, PLAIN, MoleculeOptions(p)) for p in PROTOCOLS}


def test_molecules_are_scored_as_published(molecules):
    wanted = golden("molt5-small-caption2smiles")
    for protocol, kind in (("molt5", "valid"), ("lpm24", "all")):
        found = {name: score.value for name, score in molecules[protocol].scores.items()}
        assert found["bleu"] == pytest.approx(wanted["bleu"], abs=OTHER_VERSIONS)
        for ours, theirs in (("exact", "exact"), ("levenshtein", "lev"), ("validity", "validity")):
            assert found[ours] == pytest.approx(wanted[theirs], abs=OTHER_RDKIT), ours
        for name in SIMILARITIES:
            assert found[name] == pytest.approx(wanted[f"{name}_{kind}"], abs=OTHER_RDKIT), name
        # The script counts different texts of molecules; ours counts different molecules.
        assert molecules[protocol].protocol_values["uniqueness"] == pytest.approx(wanted["uniq"], abs=OTHER_RDKIT)
        assert found["uniqueness"] < wanted["uniq"]


def test_the_two_treatments_of_invalid_outputs_differ(molecules):
    wanted = golden("molt5-small-caption2smiles")
    assert abs(molecules["molt5"].scores["morgan"].value - wanted["morgan_all"]) > 0.1
