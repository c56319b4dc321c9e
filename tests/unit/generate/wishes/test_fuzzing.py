"""Any text becomes conditions or an error of one line; conditions mean what Python would mean by them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from scimind.errors import ConfigError
from scimind.generate.wishes import Wish, parse_wish

MOLECULE = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)[O-]")
# Of MOLECULE, counted by hand.
NUMBERS = {"RingCount": 1, "HeavyAtomCount": 13, "charge": -1, "NumHDonors": 0}
_RUN = settings(derandomize=True, database=None, deadline=None, max_examples=150)

_PIECES = [
    *("MolWt", "RingCount", "formula", "scaffold", "charge", "has", "count", "similarity", "x", "lambda", "é"),
    *("and", "or", "not", "in", "AND", "<", "<=", "==", "!=", "=", "+", "-", "*", "/", "**", "(", ")", ",", "[", "."),
    *(
        "1",
        "0",
        "1e3",
        "1e999",
        ".5",
        "'C'",
        "'c1ccccc1'",
        "'[N+'",
        "'C9H8O4'",
        "''",
        '"',
        "'",
        "\\",
        "\n",
        "#",
        "\x00",
    ),
    *("has('C')", "MolWt < 500", "formula == 'H2O'", "similarity('CCO') > 0.5"),
]
_TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(_PIECES), max_size=12).map(" ".join),
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join),
    st.builds(
        "{}('{}')".format,
        st.sampled_from(["has", "count", "similarity"]),
        st.text("CNOcn[]()=#+-1$&!@/\\.*~:HR0;,", max_size=20),
    ),
    st.builds("{} == '{}'".format, st.sampled_from(["formula", "scaffold"]), st.text("CHONac1(=)+-2*", max_size=12)),
)


@_RUN
@given(text=_TEXTS)
def test_any_text_is_understood_or_refused_in_one_line(text: str) -> None:
    try:
        wish = parse_wish(text)
    except ConfigError as error:
        assert str(error).isprintable()
        return
    assert isinstance(wish, Wish)
    assert parse_wish(wish.text).text == wish.text
    unmet = wish.unmet(MOLECULE)
    assert wish.fits(MOLECULE) is (unmet == [])
    assert parse_wish(wish.text).unmet(MOLECULE) == unmet


_UNITS = st.one_of(st.sampled_from(sorted(NUMBERS)), st.integers(0, 14).map(str))


def _sums(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
    )


_SUMS = st.recursive(_UNITS, _sums, max_leaves=4)
_SIGNS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_COMPARISONS = st.one_of(
    st.builds("{} {} RingCount".format, _SUMS, _SIGNS),
    st.builds("{} {} charge {} {}".format, _SUMS, _SIGNS, _SIGNS, _SUMS),
    st.builds("HeavyAtomCount {} ({}, {})".format, st.sampled_from(["in", "not in"]), _SUMS, _SUMS),
)
_CONDITIONS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=6,
)


def value_in_python(text: str) -> Any:
    return eval(text, {"__builtins__": {}}, NUMBERS)


@_RUN
@given(text=_CONDITIONS)
def test_conditions_mean_what_python_means(text: str) -> None:
    wish = parse_wish(text)
    assert wish.fits(MOLECULE) is bool(value_in_python(text))
    assert bool(value_in_python(wish.text)) is bool(value_in_python(text))
    assert parse_wish(wish.text).text == wish.text
    assert [part for part in wish.unmet(MOLECULE) if value_in_python(part)] == []


def test_a_difference_from_python_would_be_noticed() -> None:
    text = "HeavyAtomCount - 2 - 1 == 10 and RingCount == 1"
    assert value_in_python(text)
    assert not parse_wish("HeavyAtomCount - (2 - 1) == 10 and RingCount == 1").fits(MOLECULE)


@pytest.mark.parametrize(
    "text",
    [
        "HeavyAtomCount - (2 - RingCount) == 12",
        "HeavyAtomCount * (2 * RingCount) == 26",
        "-(RingCount + 1) * 2 < -(-charge)",
        "(RingCount == 1 or charge > 0) and not (RingCount == 2 and charge > 0)",
        "RingCount == 2 or charge < 0 and RingCount == 1",
    ],
)
def test_parentheses_that_matter_are_kept(text: str) -> None:
    assert parse_wish(text).text == text.replace("-(-charge)", "--charge")
    assert parse_wish(text).fits(MOLECULE) is bool(value_in_python(text))


@pytest.mark.parametrize(
    ("texts", "other"),
    [
        (["MolWt<500", " MolWt  <  500.0 ", "(MolWt < 5e2)", "\nMolWt <\n500"], "500 > MolWt"),
        (["has('C')", 'has("C")', "(has( 'C' ))"], "has('c')"),
        (["not (RingCount > 1)", "not RingCount > 1"], "RingCount <= 1"),
        (["formula == 'C2H6O'", "formula == 'CH3CH2OH'", "formula == 'OH6C2'"], "formula == 'C2H6S'"),
        (["scaffold == 'c1ccccc1'", "scaffold == 'C1=CC=CC=C1'"], "scaffold == 'c1ccncc1'"),
        (["RingCount in (1, 2)", "RingCount in (1,2,)"], "RingCount in (2, 1)"),
        (["-MolLogP < -5", "-(MolLogP) < - 5"], "MolLogP > 5"),
    ],
)
def test_the_normal_form_is_the_same_for_the_same_conditions(texts: list[str], other: str) -> None:
    forms = {parse_wish(text).text for text in texts}
    assert len(forms) == 1
    assert parse_wish(other).text not in forms
