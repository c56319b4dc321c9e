"""Assembles random but reproducible molecules from fragments: unique, sanitised, within a range of mass and length."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors

from sample.fragments import (
    AROMATIC_RINGS,
    CHAIN_HEADS,
    CHAIN_MIDDLES,
    CHAIN_TAILS,
    ENDS,
    FUSED_RINGS,
    LINKERS,
    SATURATED_RINGS,
)

MASS_RANGE = (100.0, 500.0)  # monoisotopic, Da
LONGEST_SMILES = 60  # characters
MOST_STEREO_CENTRES = 2

_SLOT = re.compile(r"\(\{([cCNn])\}\)")


def molecules(seed: int) -> Iterator[str]:
    """Yields distinct canonical SMILES without end; a seed always gives the same sequence."""
    rng = random.Random(seed)
    seen: set[str] = set()
    rdBase.DisableLog("rdApp.*")  # invalid draws are dropped below, so RDKit need not report them
    while True:
        smiles = _accepted(_draw(rng))
        if smiles and smiles not in seen:
            seen.add(smiles)
            yield smiles


def _draw(rng: random.Random) -> str:
    """Returns the SMILES of a random molecule, not yet checked."""
    number_of_rings = rng.choices((0, 1, 2, 3), weights=(6, 38, 53, 3))[0]
    if number_of_rings == 0:
        return rng.choice(CHAIN_HEADS) + rng.choice(CHAIN_MIDDLES) + rng.choice(CHAIN_TAILS)
    smiles = _ring(rng, 0)
    for level in range(1, number_of_rings):
        smiles = _attach_ring(rng, smiles, level)
    # At most two ends, since a third gives unusual molecules.
    for left in range(rng.choice((1, 1, 2)), -1, -1):
        smiles = _attach_end(rng, smiles, keep=left > 0)
    return _SLOT.sub("", smiles)


def _ring(rng: random.Random, level: int) -> str:
    """Returns a ring with slots, whose ring digits differ from those of other levels."""
    ring = rng.choice(rng.choices((AROMATIC_RINGS, FUSED_RINGS, SATURATED_RINGS), weights=(60, 12, 28))[0])
    return re.sub(r"(?<=[A-Za-z\]])[12]+", lambda m: "".join(str(int(digit) + 2 * level) for digit in m[0]), ring)


def _attach_ring(rng: random.Random, smiles: str, level: int) -> str:
    """Returns `smiles` with a linker and another ring in one of its free slots; unchanged if nothing fits."""
    slots = list(_SLOT.finditer(smiles))
    if not slots:
        return smiles
    slot = rng.choice(slots)
    linkers = [linker for linker in LINKERS if slot[1] in linker.starts]
    for _ in range(20):
        linker = rng.choice(linkers)
        ring = _rooted(_ring(rng, level), linker.ends, rng)
        if ring is not None:
            bridge = linker.smiles.replace("~", ring)
            return smiles[: slot.start()] + f"({bridge})" + smiles[slot.end() :]
    return smiles


def _rooted(ring: str, kinds: str, rng: random.Random) -> str | None:
    """Returns the ring with its first slot used for the bond to the linker, or None if the slot has another kind."""
    slot = _SLOT.search(ring)
    if slot is None or slot[1] not in kinds:
        return None
    return ring[: slot.start()] + ring[slot.end() :]


def _attach_end(rng: random.Random, smiles: str, keep: bool) -> str:
    """Returns `smiles` with an end in one free slot; without `keep` only at aromatic nitrogens, which need one."""
    slots = [slot for slot in _SLOT.finditer(smiles) if keep or slot[1] == "n"]
    if not slots:
        return smiles
    slot = rng.choice(slots)
    return smiles[: slot.start()] + f"({rng.choice(ENDS[slot[1]])})" + smiles[slot.end() :]


def _accepted(smiles: str) -> str | None:
    """Returns the canonical SMILES, or None if it is invalid or outside the ranges of the sample."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not MASS_RANGE[0] <= rdMolDescriptors.CalcExactMolWt(mol) <= MASS_RANGE[1]:
        return None
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):  # a stereo centre whose slot was not used
        return None
    if len(Chem.FindMolChiralCenters(mol, includeUnassigned=True)) > MOST_STEREO_CENTRES:
        return None
    canonical = Chem.MolToSmiles(mol)
    # Reading and writing it once more gives a stable result for the few molecules whose stereo changes the atom order.
    canonical = Chem.MolToSmiles(Chem.MolFromSmiles(canonical))
    return canonical if len(canonical) <= LONGEST_SMILES and _is_plausible(mol) else None


# Bonds between fragments that would be unstable or react at once.
_IMPLAUSIBLE = tuple(
    Chem.MolFromSmarts(smarts)
    for smarts in (
        "[NX3]-[CX4]-[NX3]",
        "[OX2]-[OX2]",
        "[NX3]-[NX3]",
        "[OX2]-[CX4;!$(C(F)(F)F)]-[OX2;!r5;!r6]",
        "[CX4]([OH])[NX3]",
        "[SX2]-[NX3]",
        "[CX3]=[CX3]-[OH]",
        "[I].[I]",
    )
)


def _is_plausible(mol: Chem.Mol) -> bool:
    return not any(mol.HasSubstructMatch(pattern) for pattern in _IMPLAUSIBLE)
