"""Negatives that are made from positives."""

from __future__ import annotations

import random
from collections.abc import Iterator

from scimind.data.content.fields import Field, FieldOptions
from scimind.data.content.sequences import clean_sequence
from scimind.data.defects import RecordError
from scimind.data.formats.rows import ENTITY, Row
from scimind.errors import DataError
from scimind.hashing import digest

_PARTS, _KEPT = 20, 8
NEGATIVES = ("deepromoter",)


def deepromoter_negative(sequence: str, seed: int) -> str:
    """Returns a sequence of the same length in which 8 of 20 parts stay in place and 12 become random bases.

    Args:
        sequence: DNA of at least 20 letters; the lengths of the parts differ by at most one letter.
        seed: Seed that, together with the sequence, determines the parts that are kept and the bases that are drawn.

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


def with_negatives(
    rows: Iterator[Row | DataError], sequence_field: str, label_field: Field, options: FieldOptions
) -> Iterator[Row | DataError]:
    """Yields rows; a row without a label is a positive, and is followed by the negative made from it.

    Args:
        rows: The rows of a file.
        sequence_field: Name of the field that holds the DNA.
        label_field: The label field, whose first label is the positive and second the negative.
        options: How the DNA is read; its seed is that of `deepromoter_negative`.
    """
    label = label_field.name
    positive, negative = list(label_field.labels)[:2]
    for row in rows:
        if isinstance(row, DataError) or label in row.values:
            yield row
            continue
        yield Row(row.id, {**row.values, label: positive}, row.path, row.line)
        try:
            sequence, _ = clean_sequence("dna", str(row.values[sequence_field]), options.ambiguous, options.seed)
        except RecordError:
            continue  # the positive is faulty and is reported as such
        values = {
            **row.values,
            sequence_field: deepromoter_negative(sequence, options.seed),
            label: negative,
            ENTITY: sequence,
        }
        yield Row(f"{row.id}-negative", values, row.path, row.line)
