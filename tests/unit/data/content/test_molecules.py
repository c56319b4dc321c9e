"""A text that is not a molecule is a fault of its record, whatever it holds."""

import pytest

from scimind.data.content.molecules import canonical_smiles, parse
from scimind.data.content.notations import bare_smiles
from scimind.data.defects import MOST_ATOMS, RecordError


def test_a_molecule_is_parsed():
    assert canonical_smiles(parse("OCC")) == "CCO"


@pytest.mark.parametrize("smiles", ["", "C(", "\udcaf", "C\ud800", "é"])
def test_what_is_no_smiles_is_reported(smiles):
    with pytest.raises(RecordError, match="not valid SMILES syntax"):
        parse(smiles)


def test_a_molecule_on_which_rdkit_would_work_for_hours_is_reported():
    assert canonical_smiles(parse("C" * 999)) == "C" * 999
    assert parse("C" * MOST_ATOMS).GetNumAtoms() == MOST_ATOMS
    with pytest.raises(RecordError, match="the molecule has 10,001 characters, too many for RDKit"):
        parse("C" * (MOST_ATOMS + 1))
    with pytest.raises(RecordError, match="too many for RDKit"):
        bare_smiles("InChI=1S/C3H8/c1-3-2/h3H2,1-2H3" + "," * MOST_ATOMS)
