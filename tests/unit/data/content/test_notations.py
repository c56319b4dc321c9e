"""Molecules as files write them: with names after them, in other notations, with bonds that have no token."""

import pytest
from rdkit import Chem

from scimind.data.content.fields import Field, FieldOptions, read_field
from scimind.data.defects import CONVERTED, RESPELLED, STRIPPED, RecordError
from scimind.tokenizer.tags import without_tag

MOLECULE, REACTION = Field("molecule", "smiles", ("x",)), Field("change", "reaction", ("x",))


def read(raw, spec=MOLECULE, **options):
    return read_field(spec, raw, FieldOptions(**options))


def bare(value):
    return without_tag(value.shown, "smiles")


COMPLEXES = [
    "[Pt]<-N",
    "N->[Pt](<-N)(Cl)Cl",
    "CC(=O)[O-]->[Zn+2]<-[O-]C(C)=O",
    "N1->[Pt](Cl)(Cl)<-NCC1",
    "Cl[Pt@SP1](<-N)(<-N)Cl",
    "[Fe](<-N)(<-N)(<-N)(<-N)(<-N)<-N",
]


@pytest.mark.parametrize("smiles", COMPLEXES)
@pytest.mark.parametrize("molecules", ["checked", "canonical", "as-is"])
def test_a_dative_bond_without_a_token_is_written_from_its_donor(codec, smiles, molecules):
    value = read(smiles, molecules=molecules)
    spelling = bare(value)
    assert "<" not in spelling and [change.defect for change in value.changes] == [RESPELLED]
    assert Chem.CanonSmiles(spelling) == Chem.CanonSmiles(smiles)
    codec.encode(value.shown)
    assert read(smiles, molecules=molecules) == value or molecules != "as-is"
    # The twin: another donor is another molecule.
    other = spelling.replace("N", "P", 1) if "N" in spelling else spelling.replace("O", "S", 1)
    assert Chem.CanonSmiles(other) != Chem.CanonSmiles(smiles)


@pytest.mark.parametrize(
    "smiles", ["N->[Pt]", "CCO", "*CC*", "C~C", "[U]$[U]", "[13CH4]", "[CH3]", "[Na+].[Cl-]", "[1*]C"]
)
def test_valid_molecules_are_kept_as_they_are(codec, smiles):
    value = read(smiles)
    assert bare(value) == smiles and not value.changes
    codec.encode(value.shown)


@pytest.mark.parametrize("tail", [" |$R1$|", " ethanol", "\tethanol", " |o1:1| name", " CHEMBL545"])
@pytest.mark.parametrize("molecules", ["checked", "as-is"])
def test_what_follows_white_space_is_left_out(tail, molecules):
    value = read(f"CCO{tail}", molecules=molecules)
    assert bare(value) == "CCO" and [change.defect for change in value.changes] == [STRIPPED]
    assert bare(read(f"<smiles>CCO</smiles>{tail}")) == bare(read("<smiles> CCO </smiles>")) == "CCO"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("CCO CCN", "white space within the molecule, or between two"),
        ("CC(=O )O", "white space within the molecule"),
        ("acetic acid", "looks like a name"),
        ("aspirin", "looks like a name"),
        ("2-acetoxybenzoic acid", "looks like a name"),
        ("50-00-0", "looks like a CAS number"),
        ("BSYNRYMUTXBXSQ-UHFFFAOYSA-N", "an InChIKey"),
        ("InChI=1S/nothing", "an InChI that RDKit cannot read"),
        ("[R1]CC", "an R group"),
        ("{[$]CC[$]}", "BigSMILES"),
        ("CCO>>CC=O", "this is a reaction, not a molecule; give the field molecule the kind reaction"),
        ("CCO>[H+]>C=C", "this is a reaction, not a molecule"),
        ("C1CC", "not valid SMILES syntax"),
        ("<smiles></smiles>", "the SMILES is empty"),
    ],
)
def test_other_notations_are_named(raw, reason):
    with pytest.raises(RecordError, match=reason):
        read(raw)


@pytest.mark.parametrize(
    "smiles", ["c1ccc2[nH]ccc2c1", "Clc1ccccc1Br", "O=c1[nH]cnc2nc[nH]c12", "C[Se]C", "[te]1cccc1"]
)
def test_aromatic_and_two_letter_atoms_are_not_names(smiles):
    assert bare(read(smiles)) == smiles


def test_an_inchi_is_converted():
    value = read("InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3")
    assert bare(value) == "CCO" and [change.defect for change in value.changes] == [CONVERTED]


def test_atom_maps_are_shown_and_ignored_by_splits():
    mapped, plain, isotope = read("[CH3:1][OH:2]"), read("CO"), read("[13CH3]O")
    assert bare(mapped) == "[CH3:1][OH:2]" and mapped.entity == plain.entity == "CO"
    assert mapped.canonical != plain.canonical and isotope.entity != plain.entity


def test_a_reaction_is_read_part_by_part(codec):
    value = read("CCO.CC(=O)O>>CC(=O)OCC ester", REACTION)
    assert bare(value) == "CCO.CC(=O)O>>CC(=O)OCC" and [change.defect for change in value.changes] == [STRIPPED]
    assert value.canonical == read("CC(O)=O.OCC>>CCOC(C)=O", REACTION).canonical != read("CCO>>CCO", REACTION).canonical
    assert bare(read("OCC>[H+]>C=C", REACTION, molecules="canonical")) == "CCO>[H+]>C=C"
    codec.encode(value.shown)
    for raw, reason in [
        ("CCO", "not a reaction; write it as reactants>agents>products"),
        (">>", "not a reaction"),
        ("CCO>>C(C)(C)(C)(C)C", "impossible valence"),
        ("CCO>CC=O", "not a reaction"),
    ]:
        with pytest.raises(RecordError, match=reason):
            read(raw, REACTION)
