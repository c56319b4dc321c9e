"""Scores of one generated molecule against its reference.

Source: the scripts of MolT5 (`mol_translation_metrics.py`, `fingerprint_metrics.py`) and L+M-24 (`molgen/scorer.py`).
Unlike here, they count the empty text as a molecule, and two molecules without an InChI as equal. As there, only the
part of an output before white space is read, because RDKit stops there; such outputs are counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import Levenshtein
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors

from scimind.data.defects import MOST_ATOMS
from scimind.data.formats.text_files import repair_backslashes
from scimind.errors import DataError
from scimind.evaluate.metrics.bleu import bleu_counts
from scimind.evaluate.parallel_scoring import attempt
from scimind.evaluate.predictions import Item
from scimind.evaluate.results import Failure

SIMILARITIES = ("maccs", "rdk", "morgan")
MORGAN_RADIUS = 2


@dataclass(frozen=True)
class MoleculeScores:
    """The scores of one output.

    Attributes:
        output: The output without outer white space and with doubled backslashes made single.
        canonical: Its canonical SMILES; None if it is not a valid molecule.
        parses: Whether RDKit parses the output, which the protocols call valid.
        exact: Whether it equals the reference: the same InChI or, if there is no InChI, the same canonical SMILES.
        same_inchi: Whether RDKit gives the same InChI text for both, even an empty one, as the protocols compare.
        levenshtein: Number of edits from the output to the reference.
        bleu: Counts of `bleu_counts`, on characters.
        similarities: Tanimoto similarity, 0 … 1, of MACCS keys, RDKit's and Morgan's fingerprints; 0 if not valid.
        raw: Edits and BLEU counts of output and reference as written in the files; None if they are the same.
        failures: Metrics that raised an error.
    """

    output: str
    canonical: str | None
    parses: bool
    exact: bool
    same_inchi: bool
    levenshtein: int
    bleu: list[int]
    similarities: dict[str, float]
    raw: tuple[int, list[int]] | None = None
    failures: list[Failure] = field(default_factory=list)


def parse_smiles(smiles: str) -> Any:
    """Returns RDKit's molecule, or None if `smiles` is not valid, has no atoms, or is longer than `MOST_ATOMS`."""
    if len(smiles) > MOST_ATOMS:
        return None
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def has_white_space(smiles: str) -> bool:
    """Returns whether there is white space inside, where RDKit stops reading."""
    return len(smiles.split()) > 1


def canonical_smiles(smiles: str) -> str | None:
    """Returns RDKit's canonical SMILES, or None if `smiles` is not valid; see `parse_smiles`."""
    molecule = parse_smiles(smiles)
    return Chem.MolToSmiles(molecule) if molecule is not None else None


@dataclass(frozen=True)
class Identity:
    """What tells whether two molecules are the same.

    Attributes:
        inchi: RDKit's InChI; empty if there is none.
        smiles: RDKit's canonical SMILES.
    """

    inchi: str
    smiles: str

    def equals(self, other: Identity) -> bool:
        """Returns whether both have the same InChI or, if one has none, the same canonical SMILES."""
        if self.inchi and other.inchi:
            return self.inchi == other.inchi
        return self.smiles == other.smiles


def identity_of(molecule: Any) -> Identity:
    """Returns the identity of RDKit's molecule."""
    with rdBase.BlockLogs():
        return Identity(Chem.MolToInchi(molecule), Chem.MolToSmiles(molecule))


def parse_reference(item: Item) -> tuple[str, int, Any]:
    """Returns an item's reference with doubled backslashes made single, how many were, and RDKit's molecule of it.

    Raises:
        DataError: The reference is missing or not a valid molecule, which is a fault of the data, not of the model.
    """
    reference, repairs = repair_backslashes((item.reference or "").strip())
    molecule = parse_smiles(reference) if not has_white_space(reference) else None
    if molecule is None:
        what = "missing" if item.reference is None else f"not a valid molecule ({reference[:60]!r})"
        raise DataError(f"the reference of item {item.id} is {what}; correct the references")
    return reference, repairs, molecule


def score_molecule(item: Item) -> MoleculeScores:
    """Returns the scores of an output with a reference.

    Raises:
        DataError: The reference is missing or not a valid molecule.
    """
    reference, repairs, right = parse_reference(item)
    output, more = repair_backslashes(item.output.strip())
    failures: list[Failure] = []
    ours = parse_smiles(output)
    parses = ours is not None or _parses(output)
    exact = same_inchi = False
    if parses:
        exact, same_inchi = attempt("exact", item.id, failures, _compare, ours, right, output, default=(False, False))
    similarities = dict.fromkeys(SIMILARITIES, 0.0)
    if ours is not None:
        for name in SIMILARITIES:
            similarities[name] = attempt(name, item.id, failures, tanimoto, name, right, ours)
    raw = None
    if repairs or more:
        was, is_now = (item.reference or "").strip(), item.output.strip()
        raw = (Levenshtein.distance(is_now, was), bleu_counts(was, is_now))
    return MoleculeScores(
        output=output,
        canonical=attempt("uniqueness", item.id, failures, Chem.MolToSmiles, ours, default=output) if ours else None,
        parses=parses,
        exact=exact,
        same_inchi=same_inchi,
        levenshtein=Levenshtein.distance(output, reference),
        bleu=bleu_counts(reference, output),
        similarities=similarities,
        raw=raw,
        failures=failures,
    )


def tanimoto(fingerprint: str, first: Any, second: Any) -> float:
    """Returns the Tanimoto similarity of two molecules, 0 … 1.

    Args:
        fingerprint: `maccs`, 166 keys; `rdk`, paths of 1 … 7 bonds in 2,048 bits; `morgan`, environments of radius 2
            with the number of times that each occurs.
        first: RDKit's molecule.
        second: Another of RDKit's molecules.
    """
    make = _fingerprints()[fingerprint]
    with rdBase.BlockLogs():
        return float(DataStructs.TanimotoSimilarity(make(first), make(second)))


@lru_cache(maxsize=1)
def _fingerprints() -> dict[str, Any]:
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=MORGAN_RADIUS)
    return {
        "maccs": rdMolDescriptors.GetMACCSKeysFingerprint,
        "rdk": Chem.RDKFingerprint,
        "morgan": morgan.GetSparseCountFingerprint,
    }


def _parses(text: str) -> bool:
    if len(text) > MOST_ATOMS:
        return False
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text) is not None


def _compare(ours: Any, right: Any, output: str) -> tuple[bool, bool]:
    """Returns whether an output equals the reference, and whether their InChIs are the same text."""
    with rdBase.BlockLogs():
        read = ours if ours is not None else Chem.MolFromSmiles(output)
    found, wanted = identity_of(read), identity_of(right)
    return ours is not None and found.equals(wanted), found.inchi == wanted.inchi
