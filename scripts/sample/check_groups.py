"""The functional groups of a molecule, for the check: found by walking from an atom to its neighbours."""

from __future__ import annotations

import re
from collections.abc import Callable

from rdkit import Chem


def near(atom: Chem.Atom, symbol: str, order: float | None = None, **wanted: int) -> list[Chem.Atom]:
    """Returns the neighbours of an element, optionally with a bond order, charge, number of hydrogens, or degree."""
    found = []
    for bond in atom.GetBonds():
        other = bond.GetOtherAtom(atom)
        facts = {"charge": other.GetFormalCharge(), "hydrogens": other.GetTotalNumHs(), "degree": other.GetDegree()}
        fits = other.GetSymbol() == symbol and order in (None, bond.GetBondTypeAsDouble())
        if fits and all(facts[key] == value for key, value in wanted.items()):
            found.append(other)
    return found


def _is_carbonyl(atom: Chem.Atom) -> bool:
    return atom.GetSymbol() == "C" and not atom.GetIsAromatic() and len(near(atom, "O", 2)) == 1 and _total(atom) == 3


def _total(atom: Chem.Atom) -> int:
    return int(atom.GetTotalDegree())


def _is_saturated(atom: Chem.Atom) -> bool:
    return atom.GetSymbol() == "C" and _total(atom) == 4


def _acid(atom: Chem.Atom) -> bool:
    return _is_carbonyl(atom) and bool(near(atom, "O", 1, hydrogens=1))


def _ester_oxygens(atom: Chem.Atom) -> list[Chem.Atom]:
    return [oxygen for oxygen in near(atom, "O", 1, charge=0, degree=2) if len(near(oxygen, "C")) == 2]


def _is_amide(hydrogens: int) -> Callable[[Chem.Atom], bool]:
    return lambda a: (
        _is_carbonyl(a) and len(near(a, "C")) == 1 and any(_total(n) == 3 for n in near(a, "N", 1, hydrogens=hydrogens))
    )


def _is_sulfonyl(atom: Chem.Atom) -> bool:
    return atom.GetSymbol() == "S" and len(near(atom, "O", 2)) == 2


def _is_amine(hydrogens: int) -> Callable[[Chem.Atom], bool]:
    def test(atom: Chem.Atom) -> bool:
        carbons = near(atom, "C")
        neutral = atom.GetSymbol() == "N" and not atom.GetIsAromatic() and atom.GetFormalCharge() == 0
        return (
            neutral
            and atom.GetTotalNumHs() == hydrogens
            and len(carbons) == atom.GetDegree() == 3 - hydrogens
            and all(_is_saturated(carbon) for carbon in carbons)
        )

    return test


def _is_arylamine(atom: Chem.Atom) -> bool:
    if atom.GetSymbol() != "N" or atom.GetIsAromatic() or atom.GetFormalCharge() or _total(atom) != 3:
        return False
    neighbours = list(atom.GetNeighbors())
    acyl = any(o.GetSymbol() in "CS" and any(near(o, x, 2) for x in "ONS") for o in neighbours)
    return not acyl and any(o.GetIsAromatic() and o.GetSymbol() == "C" for o in neighbours)


def _is_trifluoromethyl(atom: Chem.Atom) -> bool:
    return atom.GetSymbol() == "C" and len(near(atom, "F")) == 3


def _is_methyl(atom: Chem.Atom) -> bool:
    return atom.GetSymbol() == "C" and atom.GetTotalNumHs() == 3


def _ether_kind(atom: Chem.Atom) -> str:
    """Returns the kind of ether that an oxygen forms; empty if it forms none."""
    carbons = near(atom, "C")
    if atom.GetSymbol() != "O" or atom.GetIsAromatic() or len(carbons) != 2:
        return ""
    if any(_is_trifluoromethyl(carbon) for carbon in carbons):
        return "trifluoromethoxy"
    acyl = any(near(carbon, "O", 2) for carbon in carbons)
    if acyl:
        return ""
    if any(_is_methyl(carbon) for carbon in carbons):
        return "methoxy"
    return "ether" if all(_is_saturated(c) or c.GetIsAromatic() for c in carbons) else ""


def _hydroxy(on: Callable[[Chem.Atom], bool]) -> Callable[[Chem.Atom], bool]:
    return lambda a: a.GetSymbol() == "O" and a.GetTotalNumHs() == 1 and all(on(other) for other in a.GetNeighbors())


def _halogen(symbol: str) -> Callable[[Chem.Atom], bool]:
    return lambda a: a.GetSymbol() == symbol and not any(_is_trifluoromethyl(c) for c in a.GetNeighbors())


def _branched(methyls: int) -> Callable[[Chem.Atom], bool]:
    def test(atom: Chem.Atom) -> bool:
        neighbours = list(atom.GetNeighbors())
        rest = [other for other in neighbours if not _is_methyl(other)]
        count = len(neighbours) - len(rest)
        shape = _is_saturated(atom) and count == methyls and atom.GetTotalNumHs() == 3 - methyls
        return shape and len(rest) == 1 and rest[0].GetSymbol() in "CNO"

    return test


_GROUPS: dict[str, Callable[[Chem.Atom], bool]] = {
    "carboxylate": lambda a: _is_carbonyl(a) and bool(near(a, "O", 1, charge=-1)),
    "carboxy": _acid,
    "sulfonamide": lambda a: _is_sulfonyl(a) and bool(near(a, "N")) and bool(near(a, "C")),
    "urea": lambda a: _is_carbonyl(a) and len(near(a, "N")) == 2,
    "carbamate": lambda a: _is_carbonyl(a) and bool(near(a, "N")) and bool(_ester_oxygens(a)),
    "primary carboxamide": _is_amide(2),
    "secondary carboxamide": _is_amide(1),
    "tertiary carboxamide": _is_amide(0),
    "ester": lambda a: _is_carbonyl(a) and len(near(a, "C")) == 1 and bool(_ester_oxygens(a)),
    "sulfone": lambda a: _is_sulfonyl(a) and len(near(a, "C")) == 2,
    "formyl": lambda a: _is_carbonyl(a) and a.GetTotalNumHs() == 1 and bool(near(a, "C")),
    "ketone": lambda a: _is_carbonyl(a) and len(near(a, "C")) == 2,
    "nitrile": lambda a: a.GetSymbol() == "C" and bool(near(a, "N", 3)),
    "nitro": lambda a: a.GetSymbol() == "N" and bool(near(a, "O", 2)) and bool(near(a, "O", 1, charge=-1)),
    "hydroxy": _hydroxy(_is_saturated),
    "phenolic hydroxy": _hydroxy(lambda c: c.GetIsAromatic()),
    "ammonium": lambda a: a.GetSymbol() == "N" and a.GetFormalCharge() == 1 and _total(a) == 4,
    "primary amino": _is_amine(2),
    "secondary amino": _is_amine(1),
    "tertiary amino": _is_amine(0),
    "arylamino": _is_arylamine,
    "trifluoromethoxy": lambda a: _ether_kind(a) == "trifluoromethoxy",
    "methoxy": lambda a: _ether_kind(a) == "methoxy",
    "ether": lambda a: _ether_kind(a) == "ether",
    "thioether": lambda a: a.GetSymbol() == "S" and not a.GetIsAromatic() and len(near(a, "C")) == _total(a) == 2,
    "trifluoromethyl": lambda a: _is_trifluoromethyl(a) and bool(near(a, "C")),
    "fluoro": _halogen("F"),
    "chloro": _halogen("Cl"),
    "bromo": _halogen("Br"),
    "iodo": _halogen("I"),
    "tert-butyl": _branched(3),
    "isopropyl": _branched(2),
    "aryl methyl": lambda a: (
        _is_methyl(a) and any(c.GetIsAromatic() and c.GetSymbol() == "C" for c in a.GetNeighbors())
    ),
}


def _carbon_bonds(mol: Chem.Mol, order: float) -> int:
    pairs = [
        (bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol(), bond.GetBondTypeAsDouble())
        for bond in mol.GetBonds()
    ]
    return pairs.count(("C", "C", order))


def number_of(mol: Chem.Mol, name: str) -> int:
    """Returns the number of parts with this name, such as `fluoro group`, in a molecule."""
    if name.startswith("carbon-carbon"):
        return _carbon_bonds(mol, 2 if "double" in name else 3)
    test = _GROUPS[re.sub(" (group|linkage)$", "", name)]
    return sum(test(atom) for atom in mol.GetAtoms())


_KIND_TO_GROUPS = {
    "carboxylate": ("carboxylate",),
    "carboxylic acid": ("carboxy",),
    "carboxylic ester": ("ester",),
    "aldehyde": ("formyl",),
    "nitro compound": ("nitro",),
    "alcohol": ("hydroxy",),
    "phenol": ("phenolic hydroxy",),
    "ammonium compound": ("ammonium",),
    "primary amine": ("primary amino",),
    "secondary amine": ("secondary amino",),
    "tertiary amine": ("tertiary amino",),
    "arylamine": ("arylamino",),
    "ether": ("ether", "methoxy", "trifluoromethoxy"),
    "organofluorine compound": ("fluoro", "trifluoromethyl"),
    "organochlorine compound": ("chloro",),
    "organobromine compound": ("bromo",),
    "organoiodine compound": ("iodo",),
    "alkyne": ("carbon-carbon triple bond",),
    "alkene": ("carbon-carbon double bond",),
}


def is_kind(mol: Chem.Mol, kind: str) -> bool:
    """Returns whether a molecule belongs to a class of compounds, such as `arylamine`."""
    if kind == "hydrocarbon":
        return all(atom.GetSymbol() == "C" for atom in mol.GetAtoms())
    if kind == "heteroaromatic compound":
        return any(atom.GetIsAromatic() and atom.GetSymbol() != "C" for atom in mol.GetAtoms())
    return any(number_of(mol, group) for group in _KIND_TO_GROUPS.get(kind, (kind,)))
