"""Negatives follow the positives that they are made from."""

from pathlib import Path

from scimind.data.content.fields import Field, FieldOptions
from scimind.data.defects import MALFORMED, RecordError
from scimind.data.formats.rows import ENTITY, Row
from scimind.data.tasks.negatives import deepromoter_negative, with_negatives

LABEL = Field("label", "label", ("label",), labels={"yes": (), "no": ()})


def test_negatives_keep_eight_of_twenty_parts():
    sequence = "A" * 300
    made = deepromoter_negative(sequence, 0)
    parts = [made[start : start + 15] for start in range(0, 300, 15)]
    assert len(made) == 300 and sum(part == "A" * 15 for part in parts) == 8
    assert made == deepromoter_negative(sequence, 0) != deepromoter_negative(sequence, 1)


def test_a_row_without_a_label_is_followed_by_its_negative():
    path, dna = Path("a.txt"), "ACGTTGCAAC" * 4
    fault = RecordError(MALFORMED, "broken", path, 4)
    rows = [
        Row("1", {"dna": dna}, path, 1),
        Row("2", {"dna": dna, "label": "no"}, path, 2),
        Row("3", {"dna": "ACX"}, path, 3),
        fault,
    ]
    assert list(with_negatives(iter(rows), "dna", LABEL, FieldOptions(seed=5))) == [
        Row("1", {"dna": dna, "label": "yes"}, path, 1),
        Row("1-negative", {"dna": deepromoter_negative(dna, 5), "label": "no", ENTITY: dna}, path, 1),
        rows[1],
        Row("3", {"dna": "ACX", "label": "yes"}, path, 3),  # no negative is made of a faulty positive
        fault,
    ]
