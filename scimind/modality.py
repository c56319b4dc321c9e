"""The modality of a token, which is determined by its id alone.

All ids are text except those in the ranges that a tokenizer defines. A range is half-open, `[start, stop]` without
stop, and a modality may have several, because the tokenizer's extension adds SMILES characters after the proteins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scimind.errors import ConfigError

MODALITY_NAMES = ("text", "smiles", "nucleotide", "protein")

ModalityRanges: TypeAlias = Mapping[str, Sequence[Sequence[int]] | Sequence[int]]


class Modality(IntEnum):
    """The modality of a token; the value is an index into `MODALITY_NAMES`."""

    TEXT = 0
    SMILES = 1
    NUCLEOTIDE = 2
    PROTEIN = 3


def normalise_ranges(ranges: ModalityRanges, vocab_size: int | None = None) -> dict[str, list[tuple[int, int]]]:
    """Returns the ranges of every modality except text as lists of (start, stop), checked and in ascending order.

    Args:
        ranges: One half-open pair per modality, or a list of such pairs; a modality that is left out has no tokens.
        vocab_size: Number of ids; None skips the check against it.

    Returns:
        An entry for each of smiles, nucleotide and protein, in that order; an empty list without a range.

    Raises:
        ConfigError: A name is not a modality (text is the rest and must not be named), a value is not a pair of
            integers, a range is empty, negative or beyond the vocabulary, or two ranges overlap. All faults are in one
            message.
    """
    if not isinstance(ranges, Mapping):
        raise ConfigError(f"modality_ranges ({ranges!r}) must map a modality to [start, stop] or a list of such pairs")
    faults: list[str] = []
    known = {name: _pairs(name, ranges[name], faults) for name in MODALITY_NAMES[1:] if name in ranges}
    for name in ranges:
        if name == "text":
            faults.append("modality_ranges names text, which is all ids outside the other ranges; leave it out")
        elif name not in MODALITY_NAMES:
            faults.append(f"modality_ranges names {name!r}; the modalities are {', '.join(MODALITY_NAMES[1:])}")
    for name, pairs in known.items():
        for start, stop in pairs:
            if not 0 <= start < stop:
                faults.append(f"modality_ranges.{name} [{start}, {stop}] must have 0 <= start < stop")
            elif vocab_size is not None and stop > vocab_size:
                faults.append(f"modality_ranges.{name} [{start}, {stop}] must end within vocab_size ({vocab_size})")
    faults += _overlaps(known)
    if faults:
        raise ConfigError(faults)
    return {name: sorted(known.get(name, [])) for name in MODALITY_NAMES[1:]}


def modality_table(vocab_size: int, ranges: ModalityRanges) -> NDArray[np.int32]:
    """Returns the modality of every id, int32 [v]; ids outside the ranges, including padding rows, are text.

    Args:
        vocab_size: Number of ids v, including padding rows.
        ranges: See `normalise_ranges`, which checks them.

    Raises:
        ConfigError: The ranges are wrong, or `vocab_size` is not positive.
    """
    if vocab_size <= 0:
        raise ConfigError(f"vocab_size ({vocab_size}) must be positive")
    table = np.zeros(vocab_size, dtype=np.int32)
    for name, pairs in normalise_ranges(ranges, vocab_size).items():
        for start, stop in pairs:
            table[start:stop] = MODALITY_NAMES.index(name)
    return table


def modality_of(ids: ArrayLike, table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns the modality of each id, int32, in the shape of `ids`.

    Args:
        ids: Token ids, any shape, each in [0, v).
        table: The result of `modality_table`, [v].

    Raises:
        ConfigError: An id is outside the table; numpy would count a negative one from the end.
    """
    indices = np.asarray(ids, dtype=np.int64)
    if indices.size and (indices.min() < 0 or indices.max() >= len(table)):
        wrong = indices[(indices < 0) | (indices >= len(table))].flat[0]
        raise ConfigError(f"token id ({wrong}) must be in [0, {len(table)}); use the vocabulary that made the ids")
    return table[indices]


def _pairs(name: str, value: Sequence[Sequence[int]] | Sequence[int], faults: list[str]) -> list[tuple[int, int]]:
    """Returns the value of one modality as a list of pairs; appends a fault for each item that is not a pair."""
    items: Sequence[object] = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if items and all(_is_integer(item) for item in items):
        items = [items]
    pairs: list[tuple[int, int]] = []
    for item in items:
        if isinstance(item, Sequence) and len(item) == 2 and all(_is_integer(bound) for bound in item):
            pairs.append((int(item[0]), int(item[1])))
        else:
            faults.append(f"modality_ranges.{name} ({item!r}) must be a pair of integers [start, stop]")
    return pairs


def _is_integer(value: object) -> bool:
    """Returns whether `value` is an integer; a bool does not count."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _overlaps(known: Mapping[str, Sequence[tuple[int, int]]]) -> list[str]:
    """Returns a fault for each range that starts before the range below it ends; empty ranges are ignored."""
    ordered = sorted((start, stop, name) for name, pairs in known.items() for start, stop in pairs if start < stop)
    return [
        f"modality_ranges.{name} [{start}, {stop}] overlaps modality_ranges.{below[2]} [{below[0]}, {below[1]}]"
        for below, (start, stop, name) in zip(ordered, ordered[1:], strict=False)
        if start < below[1]
    ]
