"""Negatives that are made of positives."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from scimind.data.content.sequences import clean_sequence
from scimind.data.defects import RecordError
from scimind.data.formats.rows import ENTITY, Row
from scimind.errors import DataError
from scimind.hashing import digest

if TYPE_CHECKING:
    from scimind.data.tasks.task import Task

_PARTS, _KEPT = 20, 8
NEGATIVES = ("deepromoter",)


def deepromoter_negative(sequence: str, seed: int) -> str:
    """Returns a sequence of the same length in which 8 of 20 parts stay in place and 12 are random bases.

    Args:
        sequence: DNA of at least 20 letters; parts differ by at most one letter in length.
        seed: Decides with the sequence which parts are kept and which bases are drawn.

    Source: Oubounyt and others, DeePromoter: robust promoter predictor using deep learning, Frontiers in Genetics 10
    (2019), section 2.2.
    """
    draw = random.Random(digest(f"{seed}:{sequence}"))
    bounds = [len(sequence) * number // _PARTS for number in range(_PARTS + 1)]
    kept = set(draw.sample(range(_PARTS), _KEPT))
    return "".join(
        sequence[start:stop] if number in kept else "".join(draw.choices("ACGT", k=stop - start))
        for number, (start, stop) in enumerate(zip(bounds, bounds[1:], strict=False))
    )


def with_negatives(rows: Iterator[Row | DataError], task: Task, seed: int) -> Iterator[Row | DataError]:
    """Yields rows; behind each that has no label, which makes it a positive, the negative that is made of it.

    Args:
        rows: The rows of a file.
        task: Its key field holds the sequence; the label field's first label is the positive, the second the negative.
        seed: See `deepromoter_negative`.
    """
    spec = task.label_field
    assert spec is not None
    positive, negative = list(spec.labels)[:2]
    for row in rows:
        if isinstance(row, DataError) or spec.name in row.values:
            yield row
            continue
        yield Row(row.id, {**row.values, spec.name: positive}, row.path, row.line)
        try:
            sequence = clean_sequence("dna", str(row.values[task.key_field]))
        except RecordError:
            continue  # the positive is faulty, which is told with it
        made = {
            **row.values,
            task.key_field: deepromoter_negative(sequence, seed),
            spec.name: negative,
            ENTITY: sequence,
        }
        yield Row(f"{row.id}-negative", made, row.path, row.line)
