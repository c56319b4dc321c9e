"""Values of conditions, compared with RDKit called directly and with values computed by hand."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from scimind.generate.wishes import parse_wish
from scimind.generate.wishes.measures import Facts, Kind, Measure
from scimind.generate.wishes.parser import parse

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
SMILES = [
    ASPIRIN,
    "O",
    "CCO",
    "c1ccc2ccccc2c1",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "C[N+](C)(C)CC(=O)[O-]",
    "Cc1ccc(cc1[N+](=O)[O-])[N+](=O)[O-]",
    "N[C@@H](C)C(=O)O",
    "[Na+].[Cl-]",
    "C1CCCCC1C(F)(F)Br",
    "O=S(=O)([O-])[O-]",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
]
MOLECULES = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
PLATINUM = Chem.MolFromSmiles("C[Pt]C")  # has no partial charges


def contains(smarts: str) -> Callable[[Any], bool]:
    pattern = Chem.MolFromSmarts(smarts)
    return lambda molecule: bool(molecule.HasSubstructMatch(pattern))


def bits(molecule: Any) -> set[int]:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return set(generator.GetFingerprint(molecule).GetOnBits())


def tanimoto(first: Any, second: Any) -> float:
    return len(bits(first) & bits(second)) / len(bits(first) | bits(second))


CASES: dict[str, Callable[[Any], bool]] = {
    "MolWt < 150": lambda m: Descriptors.MolWt(m) < 150,
    "100 < MolWt <= 190": lambda m: 100 < Descriptors.MolWt(m) <= 190,
    "NumHDonors >= 1 or RingCount > 1": lambda m: rdMolDescriptors.CalcNumHBD(m) >= 1 or Descriptors.RingCount(m) > 1,
    "not has('[N+](=O)[O-]')": lambda m: not contains("[N+](=O)[O-]")(m),
    "has('C(=O)O') and MolLogP < 2": lambda m: contains("C(=O)O")(m) and Descriptors.MolLogP(m) < 2,
    "count('[#6]') == 9": lambda m: sum(atom.GetSymbol() == "C" for atom in m.GetAtoms()) == 9,
    "charge != 0": lambda m: sum(atom.GetFormalCharge() for atom in m.GetAtoms()) != 0,
    "RingCount in (1, 2)": lambda m: m.GetRingInfo().NumRings() in (1, 2),
    "RingCount not in (0, 2)": lambda m: m.GetRingInfo().NumRings() not in (0, 2),
    "MolWt / HeavyAtomCount - 2 * 7 >= -1": lambda m: Descriptors.MolWt(m) / m.GetNumHeavyAtoms() - 14 >= -1,
    "scaffold == 'C1=CC=CC=C1'": lambda m: MurckoScaffold.MurckoScaffoldSmiles(mol=m) == "c1ccccc1",
    "scaffold == ''": lambda m: m.GetRingInfo().NumRings() == 0,
    "formula in ('OH6C2', 'C8H10N4O2')": lambda m: rdMolDescriptors.CalcMolFormula(m) in ("C2H6O", "C8H10N4O2"),
    f"similarity('{ASPIRIN}') >= 0.2": lambda m: tanimoto(m, MOLECULES[0]) >= 0.2,
}


@pytest.mark.parametrize("text", CASES)
def test_conditions_hold_where_rdkit_says_so(text: str) -> None:
    expected = [CASES[text](molecule) for molecule in MOLECULES]
    assert [parse_wish(text).fits(molecule) for molecule in MOLECULES] == expected
    assert [not parse_wish(f"not ({text})").fits(molecule) for molecule in MOLECULES] == expected
    assert set(expected) == {True, False}


def test_another_limit_gives_another_result() -> None:
    expected = [Descriptors.MolWt(molecule) < 150 for molecule in MOLECULES]
    assert [parse_wish("MolWt < 190").fits(molecule) for molecule in MOLECULES] != expected


def test_every_descriptor_is_available() -> None:
    assert len(Descriptors.descList) > 200
    for name, function in Descriptors.descList:
        value = float(function(MOLECULES[0]))
        assert math.isfinite(value), name
        assert parse_wish(f"{name} == {value!r}").fits(MOLECULES[0]), name
        assert parse_wish(f"{name} == {value + 0.01 + abs(value) / 100!r}").unmet(MOLECULES[0]) != [], name


@pytest.mark.parametrize(
    "text",
    [
        "MolWt == 180.159",  # 9 · 12.011 + 8 · 1.008 + 4 · 15.999, which RDKit computes with a rounding error
        "MolWt <= 180.159 and MolWt >= 180.159 and not MolWt < 180.159",
        "HeavyAtomCount == 13 and NumHDonors == 1",
        "count('C(=O)O') == 2",
        "count('c1ccccc1') == 1",  # although the ring matches in twelve ways
        "count('*~*') == 13",
        "count('[H]O') == 1",
        "formula == 'C9H8O4' and formula == 'O4C9H8' and formula != 'C9H8O3'",
        "'CH3COOC6H4COOH' == formula",
        f"similarity('{ASPIRIN}') == 1",
        "similarity('[Xe]') == 0",
    ],
)
def test_aspirin_is_what_it_is(text: str) -> None:
    assert Descriptors.MolWt(MOLECULES[0]) != 180.159
    assert parse_wish(text).unmet(MOLECULES[0]) == []


@pytest.mark.parametrize(
    ("text", "smiles"),
    [("O4S-2", "O=S(=O)([O-])[O-]"), ("H4N+", "[NH4+]"), ("Ca+2", "[Ca+2]"), ("O2-1", "[O-][O]"), ("CH3*", "C*")],
)
def test_formulas_have_charges(text: str, smiles: str) -> None:
    wish = parse_wish(f"formula == '{text}'")
    assert wish.fits(Chem.MolFromSmiles(smiles))
    assert not wish.fits(MOLECULES[0])
    assert wish.text == f"formula == '{text}'"


def test_stereochemistry_counts_where_it_is_written() -> None:
    left, right = (Chem.MolFromSmiles(smiles) for smiles in ("N[C@@H](C)C(=O)O", "N[C@H](C)C(=O)O"))
    with_stereo, without = parse_wish("has('N[C@@H](C)C(=O)O')"), parse_wish("has('NC(C)C(=O)O')")
    assert [with_stereo.fits(left), with_stereo.fits(right)] == [True, False]
    assert [without.fits(left), without.fits(right)] == [True, True]


def test_a_backslash_is_a_bond() -> None:
    cis, trans = (Chem.MolFromSmiles(smiles) for smiles in (r"C/N=N\n1cccc1", r"C/N=N/n1cccc1"))
    wish = parse_wish(r"has('C/N=N\n1cccc1')")
    assert [wish.fits(cis), wish.fits(trans)] == [True, False]


@pytest.mark.parametrize("order", ["C[Pt]C.CCO", "CCO.C[Pt]C"])
def test_partial_charges_that_do_not_exist_have_no_value(order: str) -> None:
    molecule = Chem.MolFromSmiles(order)
    for name in ("MaxPartialCharge", "MinAbsPartialCharge", "PEOE_VSA14"):
        wish = parse_wish(f"{name} < 1e6 and not {name} < 1e6 and {name} != 5")
        assert wish.unmet(molecule) == [f"{name} < 1000000", f"not ({name} < 1000000)", f"{name} != 5"]


def test_rdkit_itself_gives_charges_that_depend_on_the_order() -> None:
    with rdBase.BlockLogs():
        values = [Descriptors.MaxPartialCharge(Chem.MolFromSmiles(order)) for order in ("C[Pt]C.CCO", "CCO.C[Pt]C")]
    assert [math.isfinite(value) for value in values] == [True, False]


TRUE, FALSE, UNKNOWN = "HeavyAtomCount == 3", "HeavyAtomCount == 4", "MaxPartialCharge > 0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{UNKNOWN} or {TRUE}", True),
        (f"{TRUE} or {UNKNOWN}", True),
        (f"{UNKNOWN} or {FALSE}", None),
        (f"{UNKNOWN} and {FALSE}", False),
        (f"{FALSE} and {UNKNOWN}", False),
        (f"{UNKNOWN} and {TRUE}", None),
        (f"not {UNKNOWN}", None),
        ("0 < MaxPartialCharge < 1 < HeavyAtomCount", None),
        ("MaxPartialCharge < HeavyAtomCount < 1", False),
        ("HeavyAtomCount in (MaxPartialCharge, 3)", True),
        ("HeavyAtomCount in (MaxPartialCharge, 4)", None),
        ("HeavyAtomCount not in (MaxPartialCharge, 4)", None),
        ("BCUT2D_MWHI < 5", None),  # NaN
        ("BCUT2D_MWHI != 5", None),
        ("1 / RingCount > 0", None),
        ("0 / RingCount == 0 or RingCount == 0", True),
        ("HeavyAtomCount * 1e308 > 0", None),
    ],
)
def test_what_has_no_value_is_neither_true_nor_false(text: str, expected: bool | None) -> None:
    assert parse(text).value(Facts(PLATINUM)) is expected
    assert parse_wish(text).fits(PLATINUM) is (expected is True)
    assert parse_wish(f"not ({text})").fits(PLATINUM) is (expected is False)


def test_a_descriptor_that_raises_has_no_value() -> None:
    unsanitized = Chem.MolFromSmiles("c1ccccc1", sanitize=False)
    with rdBase.BlockLogs(), pytest.raises(RuntimeError):
        Descriptors.RingCount(unsanitized)
    assert parse_wish("RingCount >= 0 or RingCount < 0").unmet(unsanitized) == ["RingCount >= 0 or RingCount < 0"]


def test_too_many_matches_have_no_number() -> None:
    chain = Chem.MolFromSmiles("C" * 30)
    assert parse_wish("count('CCC') == 28").fits(chain)
    pairs = ".".join("C" * 5)  # 30 · 29 · 28 · 27 · 26 matches
    assert parse_wish(f"count('{pairs}') > 0").unmet(chain) != []
    assert parse_wish(f"has('{pairs}')").fits(chain)


class Recorder(Facts):
    """Facts that remember what was asked."""

    def __init__(self, molecule: Any) -> None:
        super().__init__(molecule)
        self.asked: list[str] = []

    def value(self, measure: Measure) -> Any:
        self.asked.append(measure.name)
        return super().value(measure)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("RingCount > 5 and BertzCT < 9", ["RingCount"]),
        ("RingCount < 5 or BertzCT < 9", ["RingCount"]),
        ("RingCount < 5 and TPSA < 1e3", ["RingCount", "TPSA"]),
        ("5 < RingCount < BertzCT", ["RingCount"]),
    ],
)
def test_what_decides_nothing_is_not_computed(text: str, asked: list[str]) -> None:
    facts = Recorder(MOLECULES[0])
    parse(text).value(facts)
    assert facts.asked == asked


def test_a_value_is_computed_once() -> None:
    calls = []
    measure = Measure("x", None, Kind.NUMBER, lambda molecule: calls.append(molecule) or 5)
    facts = Facts(MOLECULES[0])
    assert [facts.value(measure), facts.value(measure)] == [5.0, 5.0]
    assert calls == [MOLECULES[0]]


def test_unmet_conditions_are_the_parts_of_the_outermost_and_in_their_order() -> None:
    wish = parse_wish('MolWt<100 and (RingCount==1 and has( "Br" )) and (TPSA > 500 or charge > 0) and MolWt < 1e2')
    assert wish.unmet(MOLECULES[0]) == ["MolWt < 100", "has('Br')", "TPSA > 500 or charge > 0"]
    assert wish.text == "MolWt < 100 and RingCount == 1 and has('Br') and (TPSA > 500 or charge > 0) and MolWt < 100"
    assert wish.names == ("MolWt", "RingCount", "has", "TPSA", "charge")
    assert parse_wish("RingCount == 1").unmet(MOLECULES[0]) == []


def test_a_wish_can_be_sent_to_another_process() -> None:
    wish = parse_wish(f"has('[OH]') and similarity('{ASPIRIN}') > 0.9 and formula != 'H2O' and scaffold != ''")
    copy = pickle.loads(pickle.dumps(wish))
    assert copy.text == wish.text
    assert [copy.unmet(molecule) for molecule in MOLECULES] == [wish.unmet(molecule) for molecule in MOLECULES]
