"""IUPAC names and molecular formulas: by hand, and formulas once more by RDKit."""

from __future__ import annotations

import random
import re

import pytest
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from scimind.errors import DataError
from scimind.evaluate.metrics.names_and_formulas import read_formula, score_formulas, score_iupac_names
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling

PLAIN = Resampling(samples=0)


def items(*pairs):
    return [Item(str(n), output, reference) for n, (reference, output) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("C2H6O", "H6OC2"),
        ("C2H6O", "CH3CH2OH"),
        ("CaH2O2", "Ca(OH)2"),
        ("CuH10O9S", "CuSO4.5H2O"),
        ("K4FeC6N6", "K4[Fe(CN)6]"),
        ("C5H14NO+", "C5H14NO+1"),
        ("O4S-2", "SO4-2"),
        ("CHCl3", "C H Cl3"),
    ],
)
def test_formulas_that_are_the_same(text, same):
    assert read_formula(text) == read_formula(same) is not None


@pytest.mark.parametrize(
    "text", ["", "ethanol", "C2H6O?", "c2h6", "Xx2", "C2(H6", "C2H6)O", "2", "C2H6O and more", "()2"]
)
def test_what_is_not_a_formula(text):
    assert read_formula(text) is None


def test_formulas_that_differ():
    for text in ("C2H5O", "C2H6O+", "C2H6O-1", "C2H6", "C2H6OD", "Co2H6"):
        assert read_formula(text) not in (None, read_formula("C2H6O"))
    assert read_formula("Co") != read_formula("CO")


def test_formulas_by_rdkit_in_any_order():
    draw = random.Random(0)
    molecules = (
        "CCO",
        "c1ccccc1Cl",
        "[NH4+]",
        "OS(=O)(=O)O",
        "C[N+](C)(C)CC([O-])=O",
        "[Fe+2]",
        "CC(=O)[O-]",
        "BrC(F)(F)F",
    )
    for text in molecules:
        molecule = Chem.AddHs(Chem.MolFromSmiles(text))
        counts: dict[str, int] = {}
        for atom in molecule.GetAtoms():
            counts[atom.GetSymbol()] = counts.get(atom.GetSymbol(), 0) + 1
        if charge := Chem.GetFormalCharge(molecule):
            counts["charge"] = charge
        formula = CalcMolFormula(molecule)
        assert read_formula(formula) == frozenset(counts.items())
        parts = re.findall(r"[A-Z][a-z]?\d*", formula)
        mixed = "".join(draw.sample(parts, len(parts))) + formula[sum(map(len, parts)) :]
        assert read_formula(mixed) == read_formula(formula)
        assert read_formula(f"{formula.rstrip('+-0123456789') or 'C'}H99") != read_formula(formula)


def test_formulas_are_scored_by_content_and_by_letters():
    findings = score_formulas(items(("C2H6O", "C2H6O"), ("C2H6O", "H6C2O"), ("CH4", "C2H6"), ("CH4", "methane")), PLAIN)
    values = {name: score.value for name, score in findings.scores.items()}
    assert (values["exact"], values["exact_text"], values["validity"]) == (0.5, 0.25, 0.75)
    with pytest.raises(DataError, match=r"the reference of item 0 \('ethanol'\) is not valid"):
        score_formulas(items(("ethanol", "CH4")), PLAIN)


def test_names_are_scored_by_letters_and_mixtures_in_any_order():
    pairs = (
        ("propan-2-ol", " propan-2-ol "),
        ("sodium;acetate", "acetate;sodium"),
        ("ethanol", "Ethanol"),
        ("ethane", ""),
    )
    findings = score_iupac_names(items(*pairs), PLAIN)
    assert [row["exact"] for row in findings.rows] == [True, True, False, False]
    assert findings.scores["exact"].value == 0.5
    assert [findings.rows[place]["levenshtein"] for place in (0, 2, 3)] == [0, 1, 6]
    with pytest.raises(DataError, match="is missing; give --references"):
        score_iupac_names([Item("1", "x")], PLAIN)
