"""Molecules, by RDKit: validity, canonical and random SMILES, scaffolds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scimind.data.defects import UNPARSABLE, RecordError, check_size


def parse(smiles: str) -> Any:
    """Returns RDKit's molecule of a SMILES.

    Raises:
        RecordError: RDKit cannot parse the SMILES, or the molecule violates a rule of valence or aromaticity; or the
            SMILES is longer than `MOST_ATOMS`.
    """
    from rdkit import Chem, rdBase

    check_size(len(smiles), smiles)
    try:
        with rdBase.BlockLogs():
            molecule = Chem.MolFromSmiles(smiles) if smiles else None
            if molecule is not None and molecule.GetNumAtoms():
                return molecule
            is_spelled = bool(smiles) and Chem.MolFromSmiles(smiles, sanitize=False) is not None
    except UnicodeEncodeError:  # half a surrogate pair
        is_spelled = False
    what = "impossible valence or aromaticity" if is_spelled else "not valid SMILES syntax"
    raise RecordError(UNPARSABLE, f"RDKit cannot parse the SMILES ({what}); correct it", text=smiles)


def canonical_smiles(molecule: Any) -> str:
    """Returns the canonical SMILES of an RDKit molecule, with stereochemistry."""
    from rdkit import Chem

    return str(Chem.MolToSmiles(molecule))


def without_maps(molecule: Any) -> Any:
    """Returns a molecule without the numbers that map its atoms, such as the 1 of `[CH3:1]`."""
    if not any(atom.GetAtomMapNum() for atom in molecule.GetAtoms()):
        return molecule
    from rdkit import Chem

    bare = Chem.Mol(molecule)
    for atom in bare.GetAtoms():
        atom.SetAtomMapNum(0)
    return bare


def random_smiles(molecule: Any, number: int, seed: int) -> Sequence[str]:
    """Returns up to `number` distinct random SMILES of a molecule.

    Args:
        molecule: RDKit's molecule.
        number: Number of SMILES to draw.
        seed: Seed of the draw, in [0, 2^31).
    """
    from rdkit import Chem

    drawn = Chem.MolToRandomSmilesVect(molecule, number, randomSeed=seed or 1)
    return list(dict.fromkeys(map(str, drawn)))


def scaffold(molecule: Any) -> str:
    """Returns the canonical SMILES of the Murcko scaffold, empty without a ring.

    It has neither stereochemistry nor atom maps.

    Source: Bemis and Murcko, The properties of known drugs, J. Med. Chem. 39 (1996), as implemented in RDKit.
    """
    from rdkit.Chem.Scaffolds import MurckoScaffold

    return str(MurckoScaffold.MurckoScaffoldSmiles(mol=without_maps(molecule), includeChirality=False))
