"""The numbers in a description, for the check: counted atom by atom."""

from __future__ import annotations

from collections.abc import Callable

from rdkit import Chem


def _donors(mol: Chem.Mol) -> int:
    return sum(atom.GetSymbol() in "NO" and atom.GetTotalNumHs() > 0 for atom in mol.GetAtoms())


def _acceptors(mol: Chem.Mol) -> int:
    return sum(map(_accepts, mol.GetAtoms()))


def _accepts(atom: Chem.Atom) -> bool:
    """Returns whether an atom accepts a hydrogen bond, by the rules of Gobbi and Poppinger as RDKit states them."""
    symbol, charge, hydrogens = atom.GetSymbol(), atom.GetFormalCharge(), atom.GetTotalNumHs()
    if symbol not in ("N", "O", "S") or charge > 0:
        return False
    if atom.GetIsAromatic():
        return hydrogens == 0 and (symbol != "N" or atom.GetDegree() == 2)
    if symbol == "N":
        return atom.GetTotalValence() == 3 and not any(
            _has_double_to_hetero(other, atom) for other in atom.GetNeighbors()
        )
    if charge < 0:
        return True
    if atom.GetTotalValence() != 2:
        return False
    # The hydroxy group of an acid donates its hydrogen rather than accepting one.
    return hydrogens == 0 or not any(_has_double_to_hetero(other, atom, rings=True) for other in atom.GetNeighbors())


def _has_double_to_hetero(atom: Chem.Atom, source: Chem.Atom, rings: bool = False) -> bool:
    for bond in atom.GetBonds():
        other = bond.GetOtherAtom(atom)
        double = bond.GetBondTypeAsDouble() == 2 and (rings or not bond.IsInRing())
        if double and other.GetIdx() != source.GetIdx() and other.GetSymbol() in "ONPS":
            return True
    return False


def _rotatable(mol: Chem.Mol) -> int:
    def turns(atom: Chem.Atom) -> bool:
        in_line = any(bond.GetBondTypeAsDouble() == 3 for bond in atom.GetBonds())
        return atom.GetDegree() > 1 and not in_line

    single = [bond for bond in mol.GetBonds() if bond.GetBondTypeAsDouble() == 1 and not bond.IsInRing()]
    return sum(turns(bond.GetBeginAtom()) and turns(bond.GetEndAtom()) for bond in single)


def _centres(code: str) -> Callable[[Chem.Mol], int]:
    def count(mol: Chem.Mol) -> int:
        return sum(atom.HasProp("_CIPCode") and atom.GetProp("_CIPCode") == code for atom in mol.GetAtoms())

    return count


def _double_bonds(code: str) -> Callable[[Chem.Mol], int]:
    def count(mol: Chem.Mol) -> int:
        return sum(str(bond.GetStereo()) == f"STEREO{code}" for bond in mol.GetBonds())

    return count


COUNTERS: dict[str, Callable[[Chem.Mol], int]] = {
    "heavy atom": lambda mol: sum(atom.GetSymbol() != "H" for atom in mol.GetAtoms()),
    "R stereocentre": _centres("R"),
    "S stereocentre": _centres("S"),
    "E double bond": _double_bonds("E"),
    "Z double bond": _double_bonds("Z"),
    "hydrogen-bond donor": _donors,
    "hydrogen-bond acceptor": _acceptors,
    "rotatable bond": _rotatable,
}
