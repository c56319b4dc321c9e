"""Labels are read by the task's own list, however a file spells them; a cell has one."""

import pytest

from scimind.data.content.fields import Field, FieldOptions, read_field
from scimind.data.content.labels import find_label
from scimind.data.defects import LABEL, MALFORMED, RecordError

LABELS = {"yes": ("1", "positive"), "no": ("0", "negative")}
KNOWN, OPEN, NAMES = (
    Field("x", "label", ("x",), labels=LABELS),
    Field("x", "label", ("x",)),
    Field("x", "names", ("x",)),
)


def read(spec, raw):
    return read_field(spec, raw, FieldOptions()).canonical


@pytest.mark.parametrize("raw", ["1", 1, 1.0, "1.0", "1.00", "+1", True, "True", "TRUE", " Yes ", "POSITIVE"])
def test_spellings_of_a_label(raw):
    assert read(KNOWN, raw) == "yes"


@pytest.mark.parametrize("raw", ["0", 0.0, "0.0", "-0", False, "false", "No", "negative"])
def test_spellings_of_the_other_label(raw):
    assert read(KNOWN, raw) == "no"


@pytest.mark.parametrize("raw", ["1.5", "2", "10", "1.0.0", "1e999", "y", "true positive"])
def test_what_is_not_a_label_is_refused(raw):
    with pytest.raises(RecordError, match="the x must be one of yes, no") as caught:
        read(KNOWN, raw)
    assert caught.value.defect == LABEL


def test_a_spelling_comes_before_a_number():
    labels = {"a": ("1",), "b": ("1.0",)}
    assert [find_label(text, labels) for text in ("1", "1.0", "1.00")] == ["a", "b", None]


@pytest.mark.parametrize("raw", ["a; b", "a|b", '["a", "b"]', "{'a', 'b'}", ["a", "b"]])
def test_several_labels_are_refused_by_a_label_and_read_by_names(raw):
    with pytest.raises(RecordError, match=r"has 2 labels \(.*takes one; keep one, or .* the kind names") as caught:
        read(OPEN, raw)
    assert caught.value.defect == LABEL
    assert read(NAMES, raw) == "a, b"


def test_one_label_with_a_separator_in_its_name():
    assert read(Field("x", "label", ("x",), labels={"a; b": (), "c": ()}), "A; b") == "a; b"
    assert read(OPEN, "GABA receptor agonist, partial") == "GABA receptor agonist, partial"
    assert read(OPEN, '["a"]') == read(OPEN, "a;").removesuffix(";") == "a"
    with pytest.raises(RecordError, match="has 2 labels"):
        read(KNOWN, "yes, no")
    with pytest.raises(RecordError) as caught:
        read(NAMES, "[1, 2]")
    assert caught.value.defect == MALFORMED
