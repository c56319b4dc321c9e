"""What conditions can ask about a molecule: RDKit's descriptors, formula, scaffold, charge and substructures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from typing import Any

from scimind.config.schema import show
from scimind.data.content.molecules import canonical_smiles, scaffold
from scimind.generate.wishes.formulas import formula_of
from scimind.generate.wishes.structures import parse_molecule, parse_smarts
from scimind.generate.wishes.words import fault

MORGAN_RADIUS = 2
MORGAN_BITS = 2048

# Symmetric patterns match in more ways than anybody can wait for, such as *~*~*~*~*~*~*~* in a large molecule.
_MOST_MATCHES = 100_000
# Atoms. RDKit's time grows with their square at least: seconds for 2,000.
_LARGEST_SCAFFOLD = 300


class Kind(Enum):
    """The type of a part of the conditions, in the words of messages."""

    CONDITION = "a condition"
    NUMBER = "a number"
    FORMULA = "a formula"
    SCAFFOLD = "a scaffold"
    TEXT = "a text"


@dataclass(frozen=True)
class Measure:
    """Something that is computed for a molecule.

    Attributes:
        name: Its name in conditions.
        argument: The text in its parentheses; None if it has none.
        kind: The type of its value.
        compute: Computes the value for RDKit's molecule: a bool, number, `Formula` or SMILES, depending on the kind.
    """

    name: str
    argument: str | None
    kind: Kind
    compute: Callable[[Any], Any]


class Facts:
    """Values of one molecule, each computed when it is first needed.

    Args:
        molecule: RDKit's molecule.
    """

    def __init__(self, molecule: Any) -> None:
        self._molecule = molecule
        self._values: dict[tuple[str, str | None], Any] = {}

    def value(self, measure: Measure) -> Any:
        """Returns the value of a measure; None if RDKit has none for this molecule, or one that is not finite."""
        key = measure.name, measure.argument
        if key not in self._values:
            self._values[key] = self._compute(measure)
        return self._values[key]

    def _compute(self, measure: Measure) -> Any:
        from rdkit import rdBase

        try:
            with rdBase.BlockLogs():
                value = measure.compute(self._molecule)
        except MemoryError:
            raise
        except Exception:  # descriptors raise many types of errors for molecules that they do not cover
            return None
        if measure.kind is not Kind.NUMBER or value is None:
            return value
        return float(value) if math.isfinite(value) else None


@lru_cache(maxsize=1)
def named_measures() -> Mapping[str, Measure]:
    """Returns the measures without parentheses: all of `rdkit.Chem.Descriptors`, `charge`, `formula` and `scaffold`."""
    from rdkit import Chem
    from rdkit.Chem import Descriptors

    measures = {name: Measure(name, None, Kind.NUMBER, partial(_descriptor, name)) for name, _ in Descriptors.descList}
    measures["charge"] = Measure("charge", None, Kind.NUMBER, Chem.GetFormalCharge)
    measures["formula"] = Measure("formula", None, Kind.FORMULA, formula_of)
    measures["scaffold"] = Measure("scaffold", None, Kind.SCAFFOLD, scaffold)
    return measures


def has(smarts: str, start: int) -> Measure:
    """Returns whether a molecule contains a substructure.

    Args:
        smarts: The substructure, as SMARTS. Its stereochemistry counts.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: The SMARTS cannot be used; see `parse_smarts`.
    """
    return Measure("has", smarts, Kind.CONDITION, partial(_contains, parse_smarts(smarts, start)))


def count(smarts: str, start: int) -> Measure:
    """Returns how often a molecule contains a substructure: the number of different sets of atoms that it matches.

    Molecules with more than 100,000 matches have no value. Arguments and errors are those of `has`.
    """
    return Measure("count", smarts, Kind.NUMBER, partial(_count, parse_smarts(smarts, start)))


def similarity(smiles: str, start: int) -> Measure:
    """Returns the similarity to a molecule, 0 … 1: Tanimoto's of Morgan fingerprints of radius 2 with 2,048 bits.

    Args:
        smiles: The other molecule, as SMILES.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: RDKit cannot read the SMILES.
    """
    fingerprint = _fingerprint(parse_molecule(smiles, start))
    return Measure("similarity", smiles, Kind.NUMBER, partial(_similarity, fingerprint))


FUNCTIONS: Mapping[str, Callable[[str, int], Measure]] = {"has": has, "count": count, "similarity": similarity}
# How they are written.
USAGE = {"has": "has('SMARTS')", "count": "count('SMARTS')", "similarity": "similarity('SMILES')"}


def parse_scaffold(smiles: str, start: int) -> str:
    """Returns a scaffold in the form in which scaffolds are compared: canonical SMILES without stereochemistry.

    Args:
        smiles: The scaffold, empty for molecules without rings.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: RDKit cannot read the SMILES, or the molecule is not its own scaffold, or too large.
    """
    from rdkit import Chem

    if not smiles:
        return ""
    molecule = parse_molecule(smiles, start)
    if molecule.GetNumAtoms() > _LARGEST_SCAFFOLD:
        raise fault(
            start, f"{show(smiles)} has more than {_LARGEST_SCAFFOLD} atoms, too many for a scaffold; correct it"
        )
    found = scaffold(molecule)
    Chem.RemoveStereochemistry(molecule)
    if found != canonical_smiles(molecule):
        remedy = f"its scaffold is {show(found)}" if found else "it has no ring; write '' for molecules without rings"
        raise fault(start, f"{show(smiles)} is not a Murcko scaffold; {remedy}")
    return found


def _descriptor(name: str, molecule: Any) -> Any:
    if _uses_partial_charges(name) and not _has_partial_charges(molecule):
        return None
    return _descriptors()[name](molecule)


@lru_cache(maxsize=1)
def _descriptors() -> Mapping[str, Callable[[Any], Any]]:
    from rdkit.Chem import Descriptors

    return dict(Descriptors.descList)


def _uses_partial_charges(name: str) -> bool:
    return name.endswith("PartialCharge") or name.startswith("PEOE_VSA")


def _has_partial_charges(molecule: Any) -> bool:
    """Returns whether Gasteiger's charges exist for all atoms.

    They are NaN next to elements without parameters, such as platinum. From these NaN RDKit computes smallest and
    largest charges that depend on the order of the atoms, and counts such atoms as the most positive ones.
    """
    from rdkit.Chem import rdPartialCharges

    rdPartialCharges.ComputeGasteigerCharges(molecule)
    return all(math.isfinite(atom.GetDoubleProp("_GasteigerCharge")) for atom in molecule.GetAtoms())


def _matching() -> Any:
    from rdkit import Chem

    parameters: Any = Chem.SubstructMatchParameters()
    parameters.useChirality = True  # a pattern without stereochemistry matches all stereoisomers nevertheless
    parameters.uniquify = False  # RDKit does so only after `maxMatches`
    parameters.maxMatches = _MOST_MATCHES + 1
    return parameters


def _contains(pattern: Any, molecule: Any) -> bool:
    return bool(molecule.HasSubstructMatch(pattern, _matching()))


def _count(pattern: Any, molecule: Any) -> int | None:
    matches = molecule.GetSubstructMatches(pattern, _matching())
    return None if len(matches) > _MOST_MATCHES else len(set(map(frozenset, matches)))


@lru_cache(maxsize=1)
def _generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=MORGAN_RADIUS, fpSize=MORGAN_BITS)


def _fingerprint(molecule: Any) -> Any:
    return _generator().GetFingerprint(molecule)


def _similarity(reference: Any, molecule: Any) -> float:
    from rdkit import DataStructs

    return float(DataStructs.TanimotoSimilarity(reference, _fingerprint(molecule)))
