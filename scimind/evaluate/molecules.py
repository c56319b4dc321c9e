"""Scores of generated molecules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from rdkit import Chem, rdBase

from scimind.errors import DataError
from scimind.evaluate.predictions import ScoredPair


@dataclass(frozen=True)
class MoleculeScores:
    """Shares, 0 … 1, over a set of outputs.

    Attributes:
        outputs: Number of outputs.
        valid: Share that RDKit parses and that hold an atom: the empty text is not valid.
        unique: Share of the valid ones that remain when equal molecules are counted once; 0 where none is valid.
        exact: Share that are the reference molecule, compared by canonical SMILES; None without references.
    """

    outputs: int
    valid: float
    unique: float
    exact: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Returns the scores as a dictionary fit for JSON."""
        return asdict(self)


def canonical_smiles(smiles: str) -> str | None:
    """Returns RDKit's canonical SMILES, or None where `smiles` is no molecule or has no atom."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return Chem.MolToSmiles(molecule) if molecule is not None and molecule.GetNumAtoms() else None


def score_molecules(pairs: Sequence[ScoredPair]) -> MoleculeScores:
    """Returns the scores of outputs that should be SMILES.

    Raises:
        DataError: There are no outputs, or a reference is no molecule: that is the data's fault, not the model's.
    """
    if not pairs:
        raise DataError("there are no outputs to score")
    ours = [canonical_smiles(pair.output.strip()) for pair in pairs]
    valid = [smiles for smiles in ours if smiles is not None]
    exact = None
    if all(pair.reference is not None for pair in pairs):
        exact = _share(o is not None and o == _reference(pair) for o, pair in zip(ours, pairs, strict=True))
    unique = len(set(valid)) / len(valid) if valid else 0.0
    return MoleculeScores(len(pairs), len(valid) / len(pairs), unique, exact)


def _reference(pair: ScoredPair) -> str:
    right = canonical_smiles((pair.reference or "").strip())
    if right is None:
        raise DataError(f"reference of item {pair.id} ({pair.reference!r}) is no molecule; correct the references")
    return right


def _share(hits: Iterable[bool]) -> float:
    marks = list(hits)
    return sum(marks) / len(marks)
