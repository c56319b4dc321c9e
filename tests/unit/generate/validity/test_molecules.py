import json
import random
from pathlib import Path

import partialsmiles
import pytest
from rdkit import Chem, rdBase

from scimind.config.shipped import data_file
from scimind.data.content.molecules import random_smiles
from scimind.data.tasks.outputs import read_sequence
from scimind.generate.validity import molecule_state
from scimind.generate.validity.bracket_atoms import Atom, most_bonds, plain_atom
from scimind.generate.validity.molecules import MoleculeRule

RULE = MoleculeRule()


def sample_molecules(number: int) -> list[str]:
    rows = json.loads(Path(data_file("sample:text2smiles/train.json")).read_text(encoding="utf-8"))
    answers = [row["conversation"][1]["value"] for row in rows]
    return [smiles for answer in answers[:number] if (smiles := read_sequence(answer, "smiles"))]


def refusal(smiles: str) -> str:
    """Returns the first refused prefix, or "" if every prefix is accepted and no bound exceeds what follows."""
    state = RULE.start()
    for number, character in enumerate(smiles, start=1):
        state = RULE.extend(state, character)
        if state is None or number + state.shortest_end() > len(smiles):
            return smiles[:number]
    return "" if RULE.ends(state) else smiles


def refusals(number: int) -> list[str]:
    spellings = []
    for smiles in sample_molecules(number):
        spellings += [smiles, *random_smiles(Chem.MolFromSmiles(smiles), 2, seed=3)]
    assert len(spellings) > 2 * number
    return [found for smiles in spellings if (found := refusal(smiles))]


def test_real_molecules_are_accepted_in_every_spelling() -> None:
    assert refusals(200) == []


def test_real_molecules_are_refused_with_one_bond_less_for_each_atom(monkeypatch: pytest.MonkeyPatch) -> None:
    def poorer(symbol: str) -> Atom:
        atom = plain_atom(symbol)
        return Atom(symbol, atom.aromatic, 0, 0, False, atom.bonds - 1)

    monkeypatch.setattr(molecule_state, "plain_atom", poorer)
    assert len(refusals(20)) > 20


@pytest.mark.parametrize(
    "smiles",
    [
        "C(C)1CC1", "C=1CC-1", "C1CC=1", "C%10CC%10", "C%(12)CC%(12)", "C0CC0", r"C\\C=C", "c1ccccc1c1ccccc1",
        "C1CcCC1", "c1cc*cc1", "O=c1cccc[nH]1", "c1:c:c:c:c:c1", "[cH-]1cccc1", "[o+]1ccccc1", "O=s1(=O)cccc1",
        "[13CH4]", "[C@TH1H](F)(Cl)Br", "[Fe++]", "[C-]#[O+]", "F[P-](F)(F)(F)(F)F", "[#6]", "[H][H]", "N->[Pt]",
        "*C", "[*:1]C", "C$C", "C~C", "[U](F)(F)(F)(F)(F)F", "C(C.C)C", "[Na+].[Cl-]", "[se]1cccc1",
    ],
)  # fmt: skip
def test_what_rdkit_reads_is_accepted(smiles: str) -> None:
    assert Chem.MolFromSmiles(smiles) is not None
    assert refusal(smiles) == ""
    assert RULE.accepts(smiles)


@pytest.mark.parametrize(
    ("prefix", "refused"),
    [
        ("CF", "("), ("C(C)(C)(C)(C)", "C"), ("F", "="), ("C1", "1"), ("C1C", "1"), ("C12CC1", "2"), ("C(", ")"),
        ("", "("), ("C", ")"), ("C.", "."), ("C=", "("), ("[CH4", "]C"), ("[CH5", "]"), ("[Xx", "]"), ("C%0", "1"),
        ("C1CC", "F"), ("Cc", "C"), ("c1cccc1", "C"), ("n1cccc1", "C"), ("C", " "), ("C1C", "."), ("C>", "C"),
    ],
)  # fmt: skip
def test_what_no_molecule_begins_with_is_refused(prefix: str, refused: str) -> None:
    assert not RULE.accepts_prefix(prefix + refused)


def test_valences_are_rdkits() -> None:
    found = {
        (symbol, charge): most_bonds(symbol, charge) for symbol, charge in (("C", 0), ("N", 1), ("S", 0), ("I", 0))
    }
    assert found == {("C", 0): 4, ("N", 1): 4, ("S", 0): 6, ("I", 0): 5}
    assert most_bonds("P", -1) == 6 and most_bonds("O", -2) == 0 and most_bonds("Cl", 0) == 1


def test_aliphatic_prefixes_agree_with_partialsmiles() -> None:
    draw = random.Random(5)
    pieces = ["C", "N", "O", "F", "(", ")", "=", "#", "1", "2", "3", "[NH3+]", "[O-]"]
    compared = 0
    for _ in range(300):
        text, state = "", RULE.start()
        for _ in range(20):
            piece = draw.choice(pieces)
            if text.endswith(("(", "(=", "(#")) and piece.isdigit():
                continue  # partialsmiles reads C(1CC1)
            longer = RULE.extend(state, piece)
            try:
                partialsmiles.ParseSmiles(text + piece, partial=True, rulesToIgnore=~2)
            except partialsmiles.Error:
                assert longer is None, text + piece
            else:
                # partialsmiles sees an open ring with nowhere to go only outside of branches.
                assert longer is not None or (state.branches and (state.rings or piece.isdigit())), text + piece
            compared += 1
            if longer is not None:
                text, state = text + piece, longer
    assert compared > 3000


def test_what_rdkit_accepts_of_changed_molecules_is_hardly_ever_refused() -> None:
    draw = random.Random(2)
    accepted, refused = 0, []
    with rdBase.BlockLogs():
        for smiles in sample_molecules(400):
            letters = list(smiles)
            letters[draw.randrange(len(letters))] = draw.choice("CNOcnos()=#12[]-FS")
            changed = "".join(letters)
            if Chem.MolFromSmiles(changed) is not None:
                accepted += 1
                if refusal(changed):
                    refused.append(changed)
    assert accepted > 50 and len(refused) <= 0.03 * accepted, refused


def test_a_state_is_not_changed_by_what_follows_it() -> None:
    state = RULE.extend(RULE.start(), "C1CC(")
    assert state is not None
    first = RULE.extend(state, "=O)C1")
    assert RULE.extend(state, "F)C1") is not None and state.text == "C1CC("
    again = RULE.extend(state, "=O)C1")
    assert first is not None and again is not None and first.is_complete and again.is_complete


@pytest.mark.parametrize(
    ("prefix", "fewest"),
    [
        ("", 1), ("C", 0), ("C(", 2), ("C(C", 1), ("C=", 1), ("C1", 3), ("C1C", 2), ("C1CC", 1), ("[", 2), ("[C", 1),
        ("[C@", 1), ("C(C(C=", 3), ("C12CC", 3), ("C%", 7), ("C%12CC", 3), ("C1CC(", 3), ("C.", 1),
    ],
)  # fmt: skip
def test_the_shortest_end_is_a_lower_bound_that_closings_reach(prefix: str, fewest: int) -> None:
    state = RULE.extend(RULE.start(), prefix)
    assert state is not None
    assert state.shortest_end() <= fewest
    closing = next(ending for ending in RULE.closings(state, 20) if RULE.accepts(prefix + ending))
    assert len(closing) >= fewest if prefix.startswith("C%") else len(closing) == fewest


@pytest.mark.parametrize("prefix", ["c1cc", "c1ccc2c(c1)c", "O=c1cc", "c1ccc(", "C[C@@", "CC(=O)N1CCN(c2ccc", "C#"])
def test_closings_complete_a_molecule(prefix: str) -> None:
    state = RULE.extend(RULE.start(), prefix)
    endings = [ending for ending in RULE.closings(state, 16) if RULE.accepts(prefix + ending)]
    assert endings
    assert Chem.MolFromSmiles(prefix + endings[0]) is not None


def test_nothing_and_white_space_are_not_molecules() -> None:
    assert not RULE.accepts("") and not RULE.accepts("C C") and not RULE.accepts("C\n")


def test_spellings_of_a_molecule_have_the_same_key() -> None:
    assert RULE.key("OCC") == RULE.key("C(O)C") != RULE.key("COC")
    with pytest.raises(ValueError, match="not a molecule"):
        RULE.key("C(")
