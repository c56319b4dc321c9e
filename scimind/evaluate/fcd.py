"""The Fréchet ChemNet distance, by the package `fcd`.

Source: Preuer et al. 2018, "Fréchet ChemNet Distance: A Metric for Generative Models for Molecules in Drug Discovery".
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence

import numpy as np

_FEWEST = 2


def frechet_chemnet_distance(references: Sequence[str], outputs: Sequence[str]) -> tuple[float | None, str]:
    """Returns the distance of two sets of molecules, from 0, or None and why there is none.

    Args:
        references: Canonical SMILES.
        outputs: Canonical SMILES of valid outputs; several thousand for a value that means something.
    """
    if importlib.util.find_spec("fcd") is None:
        return None, "the package fcd is not installed; install scimind[fcd]"
    if min(len(references), len(outputs)) < _FEWEST:
        return None, f"needs {_FEWEST} valid molecules on both sides"
    from fcd import get_fcd, load_ref_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of its own padding
        distance = float(get_fcd(list(references), list(outputs), load_ref_model()))
    if not np.isfinite(distance):
        return None, "the distance is not finite; there are too few molecules"
    return max(distance, 0.0), ""  # rounding may take that of equal sets below 0
