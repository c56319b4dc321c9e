"""The Fréchet ChemNet distance, computed by the package `fcd`.

Source: Preuer et al. 2018, "Fréchet ChemNet Distance: A Metric for Generative Models for Molecules in Drug Discovery".
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 349  # characters of a SMILES that ChemNet reads; its input of 350 includes the end
_FEWEST = 2


@dataclass(frozen=True)
class ChemNetDistance:
    """The distance between two sets of molecules.

    Attributes:
        value: At least 0; None if it could not be computed.
        published: The value including longer molecules, if there are any: the package then pads each set to its longest
            molecule, and the distance is mostly that of the padding.
        left_out: Number of molecules in both sets that are longer than `LONGEST`.
        reason: Why `value` is None.
    """

    value: float | None
    published: float | None = None
    left_out: int = 0
    reason: str = ""


def frechet_chemnet_distance(references: Sequence[str], outputs: Sequence[str]) -> ChemNetDistance:
    """Returns the distance between two sets of molecules.

    Args:
        references: Canonical SMILES.
        outputs: Canonical SMILES of valid outputs; a meaningful value needs several thousand.
    """
    if importlib.util.find_spec("fcd") is None:
        return ChemNetDistance(None, reason="the package fcd is not installed; install scimind[fcd]")
    sets = [[smiles for smiles in molecules if len(smiles) <= LONGEST] for molecules in (references, outputs)]
    if min(map(len, sets)) < _FEWEST:
        return ChemNetDistance(None, reason=f"needs at least {_FEWEST} valid molecules on each side")
    left_out = len(references) + len(outputs) - sum(map(len, sets))
    value = _distance(*sets)
    if value is None:
        return ChemNetDistance(None, reason="the distance is not finite; there are too few molecules")
    return ChemNetDistance(value, _distance(references, outputs) if left_out else None, left_out)


def _distance(references: Sequence[str], outputs: Sequence[str]) -> float | None:
    from fcd import get_fcd, load_ref_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns about its padding
        distance = float(get_fcd(list(references), list(outputs), load_ref_model()))
    return max(distance, 0.0) if np.isfinite(distance) else None  # rounding may make that of equal sets negative
