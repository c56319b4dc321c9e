"""Measured values in cells: what they mean, what is refused and why, and how they are written."""

from __future__ import annotations

import math

import pytest

from scimind.data.content.fields import Field, FieldOptions, read_field
from scimind.data.content.numbers import NumberFormat, read_number
from scimind.data.defects import EMPTY, NUMBER, RecordError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("4.9", "", 4.9),
        (" -0.35 ", "", -0.35),
        ("\N{MINUS SIGN}3", "", -3.0),
        ("+2.", "", 2.0),
        (".5", "", 0.5),
        ("1e-7", "", 1e-7),
        ("6.02E+23", "", 6.02e23),
        ("4,9", "", 4.9),
        ("-0,125", "", -0.125),
        ("1234,5678", "", 1234.5678),
        ("4.9 nM", "nM", 4.9),
        ("4.9nM", "nM", 4.9),
        ("5 \N{GREEK SMALL LETTER MU}M", "\N{MICRO SIGN}M", 5.0),
        ("5 uM", "\N{MICRO SIGN}M", 5.0),
        ("12 %", "%", 12.0),
        ("3 mg / L", "mg/L", 3.0),
    ],
)
def test_a_number_is_read_with_its_unit(text, unit, value):
    assert read_number(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "reason"),
    [
        ("4.9 µM", "nM", "its unit is µM, and that of the field is nM"),
        ("4.9 nm", "nM", "its unit is nm"),
        ("4.9 nM", "", "it has the unit nM, and the field has none"),
        ("4,900", "", "it may mean 4.900 or 4900"),
        (">10", "", "it is a bound, not a number"),
        ("< 0.1", "", "it is a bound"),
        ("1-2", "", "not one number"),
        ("4.9 ± 0.2", "", "not one number"),
        ("4.9 (0.2)", "", "has the unit (0.2)"),
        ("1,234,567", "", "not one number"),
        ("1.2.3", "", "not one number"),
        ("inf", "", "infinite"),
        ("-Infinity", "", "infinite"),
        ("1e999", "", "too large"),
        ("high", "", "not a number"),
        ("", "", "not a number"),
        ("0x10", "", "has the unit x10"),
    ],
)
def test_what_is_not_one_number_is_refused_with_a_reason(text, unit, reason):
    with pytest.raises(ValueError, match=".") as error:
        read_number(text, unit)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("digits", "value", "text"),
    [
        (2, 4.944, "4.94"),
        (2, -0.001, "0.00"),  # never minus zero
        (0, 41.5, "42"),
        (1, -12.25, "-12.2"),
        (8, 1e-7, "0.00000010"),
        (2, 0.0, "0.00"),
    ],
)
def test_a_number_is_written_with_its_decimals(digits, value, text):
    assert NumberFormat(digits).write(value) == text


def test_a_number_that_its_decimals_do_not_show_is_refused():
    with pytest.raises(ValueError, match="1e-07 would be written as 0 with digits 2; raise digits"):
        NumberFormat(2).write(1e-7)
    with pytest.raises(ValueError, match="more than 15 places"):
        NumberFormat(2).write(1e15)


def test_transforms():
    """An IC50 of 12.6 nM is a pIC50 of 9 - log10(12.6)."""
    assert NumberFormat(2, "nM", "p").read_cell("12.6 nM") == pytest.approx(9 - math.log10(12.6), abs=1e-12)
    assert NumberFormat(2, "uM", "p").read_cell(0.0126) == pytest.approx(9 - math.log10(12.6), abs=1e-12)
    assert NumberFormat(2, "", "log10").read_cell("1e-7") == pytest.approx(-7, abs=1e-12)
    assert NumberFormat(2, "nM", "p").read_cell("12.6") != pytest.approx(NumberFormat(2, "µM", "p").read_cell("12.6"))
    with pytest.raises(ValueError, match="0 has no logarithm"):
        NumberFormat(2, "", "log10").read_cell(0)
    assert "needs a unit of concentration" in NumberFormat(2, "mg", "p").fault()


def test_references_on_a_logarithmic_scale_have_no_unit():
    assert NumberFormat(2, "nM").read_reference("4.9 nM") == 4.9
    with pytest.raises(ValueError, match="has the unit nM"):
        NumberFormat(2, "nM", "p").read_reference("4.9 nM")
    assert NumberFormat(2, "nM", "p").read_answer("4.9 nM") is None
    assert NumberFormat().read_answer("4.9.") == 4.9
    assert NumberFormat().read_answer("about 4.9") is None


@pytest.mark.parametrize(("raw", "shown"), [("4,9 nM", "4.9"), (5, "5.0"), (4.94, "4.9"), ("1e1", "10.0")])
def test_fields_of_kind_number(raw, shown):
    spec = Field("value", "number", ("value",), number=NumberFormat(1, "nM"))
    value = read_field(spec, raw, FieldOptions())
    assert (value.shown, value.canonical, value.tag) == (shown, shown, "")


@pytest.mark.parametrize(
    ("raw", "defect"),
    [("4.9 µM", NUMBER), (True, NUMBER), (float("inf"), NUMBER), ([4.9], NUMBER), (float("nan"), EMPTY), ("NA", EMPTY)],
)
def test_values_that_are_not_there_or_not_numbers(raw, defect):
    spec = Field("value", "number", ("value",), number=NumberFormat(1, "nM"))
    with pytest.raises(RecordError) as error:
        read_field(spec, raw, FieldOptions())
    assert error.value.defect == defect
    assert "the value " in error.value.reason
