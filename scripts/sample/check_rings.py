"""The names of the ring systems of a molecule, for the check: each is cut out and compared with plain rings."""

from __future__ import annotations

import re
from collections import Counter

from rdkit import Chem

from sample.parents import PARENTS


def ring_names(mol: Chem.Mol) -> Counter[str]:
    """Returns the names of the ring systems with their number; `unknown` for those without a name here."""
    names: Counter[str] = Counter()
    for system in _systems(mol):
        name = PARENTS.get(_cut_out(mol, system), "unknown")
        if any(mol.GetAtomWithIdx(i).GetFormalCharge() for i in system):
            name = re.sub("e$", "ium", name)
        if name == "benzene":
            name = _pattern_of_benzene(mol, system) + name
        names[name] += 1
    return names


def _systems(mol: Chem.Mol) -> list[frozenset[int]]:
    """Returns ring systems as the connected components that remain when all bonds outside rings are cut."""
    systems, seen = [], set()
    for atom in mol.GetAtoms():
        if not atom.IsInRing() or atom.GetIdx() in seen:
            continue
        stack, system = [atom.GetIdx()], set()
        while stack:
            index = stack.pop()
            system.add(index)
            bonds = [bond for bond in mol.GetAtomWithIdx(index).GetBonds() if bond.IsInRing()]
            stack += [other for bond in bonds if (other := bond.GetOtherAtomIdx(index)) not in system]
        seen |= system
        systems.append(frozenset(system))
    return systems


def _cut_out(mol: Chem.Mol, system: frozenset[int]) -> str:
    """Returns the SMILES of the ring system alone, with hydrogens for substituents, uncharged, without stereo."""
    keep = set(system)
    for index in system:
        for bond in mol.GetAtomWithIdx(index).GetBonds():
            if bond.GetBondTypeAsDouble() == 2:
                keep.add(bond.GetOtherAtomIdx(index))
    cut = Chem.RWMol(mol)
    for index in sorted(set(range(mol.GetNumAtoms())) - keep, reverse=True):
        for other in cut.GetAtomWithIdx(index).GetNeighbors():
            if other.GetIsAromatic() and other.GetSymbol() == "N":
                other.SetNumExplicitHs(1)
        cut.RemoveAtom(index)
    for atom in cut.GetAtoms():
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        if not atom.GetIsAromatic():
            atom.SetFormalCharge(0)
            atom.SetNumExplicitHs(0)
            atom.SetNoImplicit(False)
    return Chem.CanonSmiles(Chem.MolToSmiles(cut, isomericSmiles=False))


def _pattern_of_benzene(mol: Chem.Mol, ring: frozenset[int]) -> str:
    places = sorted(i for i in ring if mol.GetAtomWithIdx(i).GetDegree() > 2)
    if len(places) == 2:
        bonds = len(Chem.GetShortestPath(mol, *places)) - 1
        return {1: "ortho", 2: "meta", 3: "para"}[bonds] + "-disubstituted "
    prefix = {0: "", 1: "mono", 3: "tri", 4: "tetra", 5: "penta", 6: "hexa"}[len(places)]
    return f"{prefix}substituted " if prefix else ""
