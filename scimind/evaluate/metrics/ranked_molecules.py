"""Scores of several molecules that answer a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

from rdkit import DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator, rdMolDescriptors

from scimind.data.formats.text_files import repair_backslashes
from scimind.evaluate.metrics.molecules import MORGAN_RADIUS, Identity, identity_of, parse_reference, parse_smiles
from scimind.evaluate.metrics.ranked import AnswerScores
from scimind.evaluate.parallel_scoring import attempt
from scimind.evaluate.predictions import Item
from scimind.evaluate.results import Failure

BITS = 2048
# What cannot be computed if RDKit raises an error on a molecule that it has parsed.
_NEEDED_FOR = (
    *("exact", "similarity", "answer_uniqueness", "internal_diversity"),
    *("aromatic_rings", "reference_aromatic_rings"),
)


@dataclass(frozen=True)
class _Traits:
    """What the scores need to know about a molecule: `rings` are the aromatic ones and all."""

    identity: Identity
    bits: Any
    rings: tuple[int, int]


def score_molecule_answers(item: Item) -> AnswerScores:
    """Returns the scores of a prompt's answers that should be SMILES.

    Each answer is valid or not and, if there is a reference, exact or not as in `score_molecule`, with a Tanimoto
    similarity of bits of Morgan's fingerprints, 0 … 1, which is 0 if it is not valid.

    Raises:
        DataError: The reference is not a valid molecule.
    """
    failures: list[Failure] = []
    right = None if item.reference is None else _traits(parse_reference(item)[2], item.id, failures)
    found = [_traits(parse_smiles(repair_backslashes(text.strip())[0]), item.id, failures) for text in item.answers]
    valid = [molecule for molecule in found if molecule is not None]
    distinct = {molecule.identity.smiles: molecule.bits for molecule in valid}
    shares: dict[str, tuple[float, float]] = {
        "answer_validity": (len(valid), len(found)),
        "aromatic_rings": (sum(molecule.rings[0] for molecule in valid), sum(molecule.rings[1] for molecule in valid)),
    }
    if right is not None:
        shares["reference_aromatic_rings"] = right.rings
    return AnswerScores(
        [_scores(molecule, right) for molecule in found],
        {
            "answer_uniqueness": len(distinct) / len(valid) if valid else None,
            "internal_diversity": _diversity(list(distinct.values())),
        },
        shares,
        [Failure(name, failure.item, failure.reason) for failure in failures for name in _NEEDED_FOR],
    )


def _traits(molecule: Any, item: str, failures: list[Failure]) -> _Traits | None:
    """Returns the traits of RDKit's molecule, and empty ones if RDKit fails; None for None."""
    if molecule is None:
        return None
    nothing = _Traits(Identity("", ""), DataStructs.ExplicitBitVect(BITS), (0, 0))
    found: _Traits = attempt("", item, failures, _compute_traits, molecule, default=nothing)
    return found


def _compute_traits(molecule: Any) -> _Traits:
    with rdBase.BlockLogs():
        bits = _morgan().GetFingerprint(molecule)
    rings = rdMolDescriptors.CalcNumAromaticRings(molecule), rdMolDescriptors.CalcNumRings(molecule)
    return _Traits(identity_of(molecule), bits, rings)


@lru_cache(maxsize=1)
def _morgan() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=MORGAN_RADIUS, fpSize=BITS)


def _scores(molecule: _Traits | None, right: _Traits | None) -> dict[str, Any]:
    if right is None:
        return {"valid": molecule is not None}
    return {
        "exact": molecule is not None and molecule.identity.equals(right.identity),
        "valid": molecule is not None,
        "similarity": DataStructs.TanimotoSimilarity(molecule.bits, right.bits) if molecule is not None else 0.0,
    }


def _diversity(bits: Sequence[Any]) -> float | None:
    """Returns 1 minus the mean Tanimoto similarity of the pairs of fingerprints; None without a pair."""
    pairs = list(combinations(bits, 2))
    return 1 - sum(DataStructs.TanimotoSimilarity(*pair) for pair in pairs) / len(pairs) if pairs else None
