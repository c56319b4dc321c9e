"""Describes molecules in the style of L+M-24 and ChEBI, with every word computed from the structure.

Rings and groups are named in the order in which they appear in the SMILES, which ties the text to the structure.
"""

from __future__ import annotations

import random

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from sample.vocabulary import GROUP_PATTERNS, NUMBERS, RING_PATTERNS, SYMMETRIC

FEWEST_WORDS, MOST_WORDS = 20, 45

# Opening, rings, groups if no ring is named, groups after rings, end; parts with nothing to name are left out.
_FRAMES = (
    (
        "The molecule is {kind}",
        " that contains {rings}",
        " that carries {groups}",
        " and carries {groups}",
        ". It has {counts}.",
    ),
    ("The molecule is {kind}", " with {rings}", " with {groups}", " that bears {groups}", ". It has {counts}."),
    (
        "The molecule is {kind}",
        " built on {rings}",
        " substituted by {groups}",
        " and substituted by {groups}",
        ". There are {counts}.",
    ),
)


def describe(smiles: str, rng: random.Random) -> str | None:
    """Returns the description, or None if a ring has no name here, or the text would be too long or too short.

    Args:
        smiles: A canonical SMILES.
        rng: Chooses among the phrasings.
    """
    mol = Chem.MolFromSmiles(smiles)
    rings = _rings(mol)
    if rings is None or not _is_settled(mol):
        return None
    groups = _groups(mol)
    kind = next((group.compound for group, _ in GROUP_PATTERNS if group.compound and group.part in groups), "")
    if not kind:
        kind = "heteroaromatic compound" if _has_aromatic_heteroatom(mol) else "hydrocarbon"
        if kind == "hydrocarbon" and any(atom.GetAtomicNum() != 6 for atom in mol.GetAtoms()):
            return None
    named = [
        (part, len(matches))
        for part, matches in sorted(groups.items(), key=lambda item: (item[1][0], item[0]))
        if not (len(matches) == 1 and _is_implied_by_kind(part, kind))
    ]
    frame = rng.choice(_FRAMES)
    counts = _counts(mol)
    # If a molecule has much else to describe, the last counts are dropped first.
    for kept in range(len(counts), 1, -1):
        text = _fill(frame, _article(_charge(mol) + kind), rings, named, counts[:kept])
        if len(text.split()) <= MOST_WORDS:
            return text if len(text.split()) >= FEWEST_WORDS else None
    return None


def _fill(frame: tuple[str, ...], kind: str, rings: list[str], groups: list[tuple[str, int]], counts: list[str]) -> str:
    opening, with_rings, groups_alone, groups_after_rings, end = frame
    text = opening.format(kind=kind)
    if rings:
        text += with_rings.format(
            rings=_listing(_counted([(f"{name} ring", rings.count(name)) for name in dict.fromkeys(rings)]))
        )
    if groups:
        text += (groups_after_rings if rings else groups_alone).format(groups=_listing(_counted(groups)))
    return text + end.format(counts=_listing(counts))


def _charge(mol: Chem.Mol) -> str:
    """Returns the adjective of the charge with a space, empty without a charge (a nitro group does not count)."""
    charge = Chem.GetFormalCharge(mol)
    if charge:
        return "cationic " if charge > 0 else "anionic "
    charged = mol.GetSubstructMatches(Chem.MolFromSmarts("[+1;!$([N+](=O)[O-])]"))
    return "zwitterionic " if charged else ""


def _groups(mol: Chem.Mol) -> dict[str, list[int]]:
    """Returns the name of each group with the indices of its atoms, in ascending order."""
    found: dict[str, list[int]] = {}
    for group, pattern in GROUP_PATTERNS:
        matches = mol.GetSubstructMatches(pattern, uniquify=False, maxMatches=10_000)
        if group.part in SYMMETRIC:
            firsts = [min(pair) for pair in {frozenset(match[:2]) for match in matches}]
        else:
            firsts = list({match[0] for match in matches})
        if firsts:
            found[group.part] = sorted(firsts)
    return found


def _is_implied_by_kind(part: str, kind: str) -> bool:
    """Returns whether the class of the compound already implies that it has this part."""
    parts = [group.part for group, _ in GROUP_PATTERNS if group.compound == kind]
    return parts == [part]


def _rings(mol: Chem.Mol) -> list[str] | None:
    """Returns the names of the ring systems in order of their first atoms, or None if one has no name here."""
    names = []
    for system in sorted(ring_systems(mol), key=min):
        whole = system | {
            bond.GetOtherAtomIdx(index)
            for index in system
            for bond in mol.GetAtomWithIdx(index).GetBonds()
            if bond.GetBondType() == Chem.BondType.DOUBLE
        }
        name = next((name for name, pattern in RING_PATTERNS.items() if _covers(mol, pattern, whole)), None)
        if name is None:
            return None
        if any(mol.GetAtomWithIdx(index).GetFormalCharge() > 0 for index in system):
            name = name.removesuffix("e") + "ium"
        names.append(f"{_substitution(mol, system)}{name}" if name == "benzene" else name)
    return names


def _covers(mol: Chem.Mol, pattern: Chem.Mol, atoms: set[int]) -> bool:
    if pattern.GetNumAtoms() != len(atoms):
        return False
    return any(set(match) == atoms for match in mol.GetSubstructMatches(pattern))


def ring_systems(mol: Chem.Mol) -> list[set[int]]:
    """Returns the atom indices of each ring system: rings that share an atom are one."""
    systems: list[set[int]] = []
    for ring in mol.GetRingInfo().AtomRings():
        merged = set(ring)
        for system in [system for system in systems if system & merged]:
            merged |= system
            systems.remove(system)
        systems.append(merged)
    return systems


def _substitution(mol: Chem.Mol, ring: set[int]) -> str:
    """Returns how a benzene ring is substituted, with the hyphen or space that follows."""
    order = next(list(found) for found in mol.GetRingInfo().AtomRings() if set(found) == ring)
    places = [place for place, index in enumerate(order) if mol.GetAtomWithIdx(index).GetDegree() == 3]
    if len(places) == 2:
        apart = min(places[1] - places[0], 6 - places[1] + places[0])
        return ("ortho", "meta", "para")[apart - 1] + "-disubstituted "
    return (
        "",
        "monosubstituted ",
        "",
        "trisubstituted ",
        "tetrasubstituted ",
        "pentasubstituted ",
        "hexasubstituted ",
    )[len(places)]


def _is_settled(mol: Chem.Mol) -> bool:
    """Returns whether both of RDKit's ways to rank neighbours agree on every stereo centre."""
    old = Chem.FindMolChiralCenters(mol, useLegacyImplementation=True)
    return old == Chem.FindMolChiralCenters(mol, useLegacyImplementation=False)


def _has_aromatic_heteroatom(mol: Chem.Mol) -> bool:
    return mol.HasSubstructMatch(Chem.MolFromSmarts("[a;!#6]"))


def _counts(mol: Chem.Mol) -> list[str]:
    """Returns "12 heavy atoms", "one hydrogen-bond donor", … in a fixed order, the least important ones last."""
    counts = [f"{mol.GetNumHeavyAtoms()} heavy atoms"]
    centres = [code for _, code in Chem.FindMolChiralCenters(mol, useLegacyImplementation=False)]
    for code in ("R", "S"):
        if code in centres:
            counts.append(_number(centres.count(code), f"{code} stereocentre"))
    bonds = [bond.GetStereo() for bond in mol.GetBonds()]
    for code, stereo in (("E", Chem.BondStereo.STEREOE), ("Z", Chem.BondStereo.STEREOZ)):
        if stereo in bonds:
            counts.append(_number(bonds.count(stereo), f"{code} double bond"))
    counts.append(_number(rdMolDescriptors.CalcNumHBD(mol), "hydrogen-bond donor"))
    rotatable = rdMolDescriptors.CalcNumRotatableBonds(mol, rdMolDescriptors.NumRotatableBondsOptions.NonStrict)
    counts.append(_number(rotatable, "rotatable bond"))
    counts.append(_number(rdMolDescriptors.CalcNumHBA(mol), "hydrogen-bond acceptor"))
    return counts


def _counted(names: list[tuple[str, int]]) -> list[str]:
    return [_article(name) if count == 1 else _number(count, name) for name, count in names]


def _number(count: int, name: str) -> str:
    spelled = NUMBERS[count] if count < len(NUMBERS) else str(count)
    return f"{spelled} {name}" + ("" if count == 1 else "s")


def _article(name: str) -> str:
    return f"{'an' if name.startswith(('a', 'e', 'i', 'o')) else 'a'} {name}"


def _listing(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
