"""Words for missing values are empty cells in every kind of field, unless the task's labels list them."""

import pytest

from scimind.data.content.fields import KINDS, Field, FieldOptions, read_field
from scimind.data.content.missing import MISSING, is_missing
from scimind.data.defects import EMPTY, RecordError

OPTIONS = FieldOptions()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raw", [None, float("nan"), "  ", "NA", " None ", "#N/A", "<NA>", "nan"])
def test_a_missing_value_is_an_empty_field(kind, raw):
    with pytest.raises(RecordError, match="the x is .*empty; fill it in or remove the record") as caught:
        read_field(Field("x", kind, ("x",)), raw, OPTIONS)
    assert caught.value.defect == EMPTY
    assert read_field(Field("x", kind, ("x",), optional=True), raw, OPTIONS).shown == ""


def test_the_words_are_those_of_pandas():
    pandas = pytest.importorskip("pandas")
    import io

    words = sorted(MISSING - {""})
    assert pandas.read_csv(io.StringIO("x\n" + "\n".join(words) + "\n"), skip_blank_lines=False)["x"].isna().all()
    # The twin: these resemble them, and are not.
    others = ["none", "na", "Na", "NIL", "missing", "N.A."]
    assert pandas.read_csv(io.StringIO("x\n" + "\n".join(others)))["x"].notna().all()
    assert not any(map(is_missing, others))


def test_a_label_may_be_such_a_word():
    listed = Field("x", "label", ("x",), labels={"None": (), "some": ("NA",)})
    assert [read_field(listed, raw, OPTIONS).shown for raw in ("None", "NA")] == ["None", "some"]
    with pytest.raises(RecordError, match="'null', which counts as empty"):
        read_field(listed, "null", OPTIONS)


def test_a_dipeptide_is_written_with_a_space():
    assert read_field(Field("x", "protein", ("x",)), "N A", OPTIONS).canonical == "NA"
