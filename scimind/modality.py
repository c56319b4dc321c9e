"""The modality of a token: a look-up by id, which nothing else decides.

A vocabulary is text except for the ranges that a tokenizer names. A range is half-open, `[start, stop]` with stop
excluded, and a modality may have several, because the tokenizer's extension puts more SMILES characters behind the
proteins.
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
    """What a token belongs to; the value indexes `MODALITY_NAMES`."""

    TEXT = 0
    SMILES = 1
    NUCLEOTIDE = 2
    PROTEIN = 3


def normalise_ranges(ranges: ModalityRanges, vocab_size: int | None = None) -> dict[str, list[tuple[int, int]]]:
    """Returns the ranges of every modality but text as lists of (start, stop), checked and in ascending order.

    Args:
        ranges: For each modality one half-open pair, or a list of such pairs; a modality that is left out has no
            tokens.
        vocab_size: Number of ids; None skips the check against it.

    Returns:
        One entry for each of smiles, nucleotide and protein, in that order; an empty list where there is no range.

    Raises:
        ConfigError: A name that is not a modality (text included: it is the rest), a value that is not a pair of
            integers, an empty or negative range, an id beyond the vocabulary, or two ranges that overlap. All faults
            are in one message.
    """
    if not isinstance(ranges, Mapping):
        raise ConfigError(f"modality_ranges ({ranges!r}) must map a modality to [start, stop] or a list of such pairs")
    faults: list[str] = []
    known = {name: _pairs(name, ranges[name], faults) for name in MODALITY_NAMES[1:] if name in ranges}
    for name in ranges:
        if name == "text":
            faults.append("modality_ranges names text, which is every id outside the other ranges; leave it out")
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
    """Returns the modality of every id, int32 [v]; ids outside the ranges, padding rows included, are text.

    Args:
        vocab_size: Number of ids v, padding rows included.
        ranges: See `normalise_ranges`, which checks them.

    Raises:
        ConfigError: The ranges are faulty, or vocab_size is not positive.
    """
    if vocab_size <= 0:
        raise ConfigError(f"vocab_size ({vocab_size}) must be positive")
    table = np.zeros(vocab_size, dtype=np.int32)
    for name, pairs in normalise_ranges(ranges, vocab_size).items():
        for start, stop in pairs:
            table[start:stop] = MODALITY_NAMES.index(name)
    return table


def modality_of(ids: ArrayLike, table: NDArray[np.int32]) -> NDArray[np.int32]:
    """Returns the modality of each id, int32 of the shape of `ids`.

    Args:
        ids: Token ids, any shape, each in [0, v).
        table: The result of `modality_table`, [v].

    Raises:
        ConfigError: An id outside the table; numpy would read a negative one from its end.
    """
    indices = np.asarray(ids, dtype=np.int64)
    if indices.size and (indices.min() < 0 or indices.max() >= len(table)):
        wrong = indices[(indices < 0) | (indices >= len(table))].flat[0]
        raise ConfigError(f"token id ({wrong}) must be in [0, {len(table)}); give the vocabulary that made the ids")
    return table[indices]


def _pairs(name: str, value: Sequence[Sequence[int]] | Sequence[int], faults: list[str]) -> list[tuple[int, int]]:
    """Returns one modality's value as a list of pairs; what is no pair of integers is added to `faults`."""
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
    """Returns whether `value` is an integer; a bool is none here."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _overlaps(known: Mapping[str, Sequence[tuple[int, int]]]) -> list[str]:
    """Returns one fault for each range that starts before the one below it has ended; empty ranges are left out."""
    ordered = sorted((start, stop, name) for name, pairs in known.items() for start, stop in pairs if start < stop)
    return [
        f"modality_ranges.{name} [{start}, {stop}] overlaps modality_ranges.{below[2]} [{below[0]}, {below[1]}]"
        for below, (start, stop, name) in zip(ordered, ordered[1:], strict=False)
        if start < below[1]
    ]
