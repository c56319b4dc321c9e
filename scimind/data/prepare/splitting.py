"""What becomes of each record: left out as a duplicate or for conflicting answers, set aside, or learnt from.

Memory is a few numbers a record. All decisions depend on digests, hence not on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scimind.errors import SciMindError
from scimind.hashing import digest

SPLITS = ("random", "scaffold", "cluster")
TRAIN, EVALUATION, TEST, DUPLICATE, CONFLICT = range(5)

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Split:
    """How records are set aside.

    Args:
        by: `random`: a record's entity (canonical SMILES, exact sequence) decides, the same in every task. `scaffold`:
            molecules of one Murcko scaffold stay together, as do all without a ring. `cluster`: sequences that are
            alike stay together, see `clusters`; molecules as with `random`.
        evaluation: Share of the records for NAME_eval, in [0, 1).
        test: Share for NAME_test.
        seed: Decides which.

    Raises:
        SciMindError: A share is out of range, or there is no such split.
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
    """Returns numbers in [0, 1) that depend on each value and the seed alone and are spread evenly.

    Source: the finaliser of SplitMix64 (Steele and others, Fast splittable pseudorandom number generators, 2014).
    """
    mixed = values ^ np.uint64(digest(f"seed {seed}"))
    with np.errstate(over="ignore"):
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) / 2.0**64


def find_duplicates(question: NDArray[np.uint64], answer: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns of each record the number of the first one with the same question and answer; its own where it is it."""
    with np.errstate(over="ignore"):
        both = question * _MIX ^ answer
    _, first, place = np.unique(both, return_index=True, return_inverse=True)
    return first[place]


def find_conflicts(question: NDArray[np.uint64], answer: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns of each record the number of the first with the same question and another answer; -1 without one."""
    order = np.lexsort((np.arange(len(question)), question))
    asked, answered = question[order], answer[order]
    starts = np.flatnonzero(np.r_[True, asked[1:] != asked[:-1]]) if len(asked) else np.zeros(0, dtype=np.int64)
    found = np.full(len(question), -1, dtype=np.int64)
    stops = np.r_[starts[1:], len(asked)]
    several = stops - starts > 1
    for start, stop in zip(starts[several], stops[several], strict=True):
        if (answered[start:stop] != answered[start]).any():
            other = start + int(np.argmax(answered[start:stop] != answered[start]))
            same = answered[start:stop] == answered[start]
            found[order[start:stop]] = np.where(same, order[other], order[start])
    return found


def assign(
    split: Split, entity: NDArray[np.uint64], group: NDArray[np.uint64], eligible: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Returns TRAIN, EVALUATION or TEST for each record; records of one group, or of one entity, always the same.

    With `random` the share of a split is met about, since each entity is drawn for itself. Otherwise groups are taken
    in random order while they fit, so that a group larger than a split is learnt from.

    Args:
        split: What is asked for.
        entity: Digest of each record's entity [n].
        group: Digest of what stays together [n].
        eligible: Whether a record is written at all [n]; those that are not do not count.
    """
    fate = np.full(len(entity), TRAIN, dtype=np.int8)
    if split.by == "random":
        drawn = spread(entity, split.seed)
        fate[drawn < split.evaluation + split.test] = TEST
        fate[drawn < split.evaluation] = EVALUATION
        return fate
    keys, place = np.unique(group, return_inverse=True)
    sizes = np.bincount(place[eligible], minlength=len(keys))
    room = {EVALUATION: split.evaluation * eligible.sum(), TEST: split.test * eligible.sum()}
    chosen = np.full(len(keys), TRAIN, dtype=np.int8)
    for number in np.argsort(spread(keys, split.seed), kind="stable"):
        target = next((kind for kind, left in room.items() if left >= max(1, sizes[number])), None)
        if target is not None and sizes[number]:
            chosen[number] = target
            room[target] -= sizes[number]
        if max(room.values()) < 1:
            break
    return chosen[place]


def repeats(wanted: int, keys: NDArray[np.uint64], seed: int | str) -> NDArray[np.int32]:
    """Returns how often each of n records is taken, so that there are `wanted` in all and no two differ by over 1."""
    often = np.full(len(keys), wanted // len(keys), dtype=np.int32)
    left = wanted % len(keys)
    often[np.argsort(spread(keys, seed), kind="stable")[:left]] += 1
    return often


def shares(sizes: Sequence[int], weights: Sequence[float | None], temperature: float) -> list[float]:
    """Returns the share of each task of a mixture.

    Args:
        sizes: Records of each.
        weights: The weights that were given; where none is, size^(1 / temperature).
        temperature: 1 keeps the proportions, more makes them more equal.
    """
    raw = [size ** (1 / temperature) if given is None else given for size, given in zip(sizes, weights, strict=True)]
    return [value / sum(raw) for value in raw]
