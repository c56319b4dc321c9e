"""Chooses the records to set aside, so that none of their molecules or sequences is in the training data.

The choice depends on 64-bit digests only, hence not on the number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError
from scimind.hashing import digest

SPLITS = ("random", "scaffold", "cluster")


@dataclass(frozen=True)
class Split:
    """How records are set aside.

    Args:
        by: `random`: decided by a record's entity (canonical SMILES, exact sequence), in the same way in every task.
            `scaffold`: molecules with the same Murcko scaffold stay together, as do all without a ring. `cluster`:
            similar sequences stay together, see `clusters`; molecules as with `random`.
        evaluation: Share of the records for NAME_eval, in [0, 1).
        test: Share of the records for NAME_test, in [0, 1).
        seed: Seed of the choice.

    Raises:
        SciMindError: A share is out of range, or the kind of split is unknown.
    """

    by: str = "random"
    evaluation: float = 0.0
    test: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.by not in SPLITS:
            raise SciMindError(f"split ({self.by!r}) must be one of {', '.join(SPLITS)}")
        for name, share in (("eval_fraction", self.evaluation), ("test_fraction", self.test)):
            if not 0 <= share < 1:
                raise SciMindError(f"{name} ({share}) must be at least 0 and less than 1")
        if self.evaluation + self.test >= 1:
            raise SciMindError(f"eval_fraction + test_fraction ({self.evaluation + self.test}) must be less than 1")


def spread(values: NDArray[np.uint64], seed: int | str) -> NDArray[np.float64]:
    """Returns evenly spread numbers in [0, 1), each of which depends on its value and the seed only.

    Source: the finaliser of SplitMix64 (Steele and others, Fast splittable pseudorandom number generators, 2014).
    """
    mixed = values ^ np.uint64(digest(f"seed {seed}"))
    with np.errstate(over="ignore"):
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) / 2.0**64


def set_aside(
    split: Split, entity: NDArray[np.uint64], group: NDArray[np.uint64], eligible: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns which records are for evaluation and which for testing; records of one group, or entity, stay together.

    With `random`, split sizes are approximate because each entity is drawn independently. Otherwise groups are taken in
    random order while they fit, so that a group larger than a split stays in the training data.

    Args:
        split: How records are set aside.
        entity: Digest of each record's entity [n].
        group: Digest of each record's group [n].
        eligible: Whether a record is written at all [n]; the others do not count.

    Returns:
        Masks for evaluation and for testing, bool [n] each; no record is in both.
    """
    if split.by == "random":
        drawn = spread(entity, split.seed)
        evaluation = drawn < split.evaluation
        return evaluation, ~evaluation & (drawn < split.evaluation + split.test)
    keys, place = np.unique(group, return_inverse=True)
    sizes = np.bincount(place[eligible], minlength=len(keys))
    room = [split.evaluation * eligible.sum(), split.test * eligible.sum()]
    chosen = np.zeros((len(room), len(keys)), dtype=bool)
    for number in np.argsort(spread(keys, split.seed), kind="stable"):
        target = next((target for target, left in enumerate(room) if left >= max(1, sizes[number])), None)
        if target is not None and sizes[number]:
            chosen[target, number] = True
            room[target] -= sizes[number]
        if max(room) < 1:
            break
    return chosen[0][place], chosen[1][place]
