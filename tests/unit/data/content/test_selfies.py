"""SELFIES are distinguished from SMILES by symbols and column, and decoded to their molecule."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from rdkit import Chem

from scimind.data import prepare, read_conversations
from scimind.data.content.selfies import is_selfies, molecule_text, settle_selfies, with_smiles
from scimind.data.defects import RecordError
from scimind.data.formats.rows import Row
from scimind.errors import DataError, SciMindError

ONLY_SMILES = [
    "CCO",
    "[Na+].[Cl-]",
    "[H][H]",
    "[Na+1].[Cl-1]",
    "[nH]1cccc1",
    "[OH-]",
    "[13CH4]",
    "[Si]",
    "[C-]#[C+]",
    "",
]
EITHER = ["[C]", "[O]", "[O][O]", "[N][N]", "[O].[K+1]"]


@pytest.mark.parametrize(
    "text",
    ["[C][C][O]", "[C][=O]", "[C][C][=Branch1][C][=O][O]", "[N][#C]", "[O].[C][C]", "[C][nop]", "[C][Branch1_2][C]"],
)
def test_symbols_that_no_smiles_has_are_selfies(text):
    assert is_selfies(text) is True


@pytest.mark.parametrize("text", ONLY_SMILES)
def test_smiles_are_not_selfies(text):
    assert is_selfies(text) is False


@pytest.mark.parametrize("text", EITHER)
def test_some_texts_can_be_both(text):
    assert is_selfies(text) is None and Chem.MolFromSmiles(text) is not None


@pytest.mark.parametrize("smiles", ["CC(=O)Oc1ccccc1C(=O)O", "C[C@@H](N)C(=O)O", "[Na+].CC(=O)[O-]", "C/C=C\\C"])
def test_what_the_package_encodes_is_recognised_and_is_the_same_molecule(smiles):
    selfies = pytest.importorskip("selfies")
    read, readings = molecule_text(selfies.encoder(smiles))
    assert Chem.CanonSmiles(read) == Chem.CanonSmiles(smiles) and readings == {"SELFIES decoded": 1}
    other, _ = molecule_text(selfies.encoder(f"{smiles}.O"))
    assert Chem.CanonSmiles(other) != Chem.CanonSmiles(smiles)


def settled(*values):
    rows = (Row(str(n), {"molecule": value}, Path("x"), n) for n, value in enumerate(values, start=1))
    return [row.values["molecule"] for row in settle_selfies(rows, ["molecule"])]


def test_a_column_decides_what_can_be_both():
    assert settled("[O]", "[C][C]", "[O][O]") == ["<selfies>[O]</selfies>", "[C][C]", "<selfies>[O][O]</selfies>"]
    assert settled("[O]", "CC", "[O][O]", "[C][C]") == ["[O]", "CC", "[O][O]", "[C][C]"]
    assert settled("[O]", "", None) == ["[O]", "", None]


def test_rows_before_a_broken_end_are_not_lost():
    def rows():
        yield Row("1", {"molecule": "[O]"}, Path("x"), 1)
        raise DataError("broken")

    found = settle_selfies(rows(), ["molecule"])
    assert next(found).values == {"molecule": "[O]"}
    with pytest.raises(DataError, match="broken"):
        next(found)


def test_a_table_of_selfies_becomes_molecules(write, tmp_path, codec):
    pytest.importorskip("selfies")
    path = write("a.csv", "molecule,caption\n[O],Water.\n[C][C][O],Ethanol.\n[C][C][=Branch1][C][=O][O],Acid.\n")
    summary = prepare("text2smiles", [path], tmp_path / "out", codec=codec, workers=1, card=False, progress=False)
    talks = read_conversations(tmp_path / "out/a.json")
    assert [talk.rounds[0].answer for talk in talks] == [f"<smiles>{x}</smiles>" for x in ("O", "CCO", "CC(=O)O")]
    assert summary.readings == {"<selfies> read as <smiles>": 1, "SELFIES decoded": 2}


def test_smiles_that_could_be_selfies_are_counted(write, tmp_path, codec):
    path = write("a.csv", "molecule,caption\n[O],An atom.\n[Na+].[Cl-],Salt.\n[H][H],Hydrogen.\n")
    summary = prepare("text2smiles", [path], tmp_path / "out", codec=codec, workers=1, card=False, progress=False)
    assert summary.readings == {"SMILES that could also be SELFIES": 1}


def test_a_line_of_selfies_becomes_a_molecule_and_words_stay():
    pytest.importorskip("selfies")
    readings = Counter()
    assert with_smiles("Describe\n[C][O]", readings) == "Describe\n<smiles>CO</smiles>"
    assert with_smiles("Describe [C][O] and [1][2]", readings) == "Describe [C][O] and [1][2]"
    assert readings == {"SELFIES decoded": 1, "SELFIES among words kept as text": 1}


def test_a_symbol_that_is_unknown_is_a_fault():
    pytest.importorskip("selfies")
    for text in ("[C][=Foo]", "[Branch1]"):
        with pytest.raises(RecordError, match="the SELFIES"):
            molecule_text(text)


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "selfies", None)
    with pytest.raises(SciMindError, match=r"pip install 'scimind\[selfies\]'"):
        molecule_text("[C][C]")
    assert molecule_text("CC") == ("CC", {})
