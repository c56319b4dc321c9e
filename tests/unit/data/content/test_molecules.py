"""A text that is not a molecule is a fault of its record, whatever it holds."""

import pytest

from scimind.data.content.molecules import canonical_smiles, parse
from scimind.data.defects import RecordError


def test_a_molecule_is_parsed():
    assert canonical_smiles(parse("OCC")) == "CCO"


@pytest.mark.parametrize("smiles", ["", "C(", "\udcaf", "C\ud800", "é"])
def test_what_is_no_smiles_is_reported(smiles):
    with pytest.raises(RecordError, match="not valid SMILES syntax"):
        parse(smiles)
