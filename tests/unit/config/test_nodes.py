"""Nodes: the values that each accepts, their final form, and the faults of all others."""

from __future__ import annotations

from typing import Any

import pytest

from scimind.config.nodes import Items, Named, Section, Typed, Value
from scimind.config.schema import INVALID, Faults, Node

TEXT = Value(str)


def check(node: Node, value: Any) -> tuple[Any, list[str]]:
    faults = Faults(node)
    return node.check(value, "x", faults), list(faults)


@pytest.mark.parametrize(
    ("node", "value", "expected"),
    [
        (Value(float), "5e-5", 5e-5),
        (Value(float), 2, 2.0),
        (Value(int, nullable=True), None, None),
        (Value(str, None), None, None),
        (Value(bool, also=str), "last", "last"),
        (Value(), [1, {}], [1, {}]),
        (Value(str, filled=True), "a", "a"),
        (Value(str), "", ""),
        (Items(TEXT), [], []),
        (Items(TEXT, single=True), "a", "a"),
        (Items(TEXT, nullable=True), None, None),
        (Named(TEXT), {"a": "b"}, {"a": "b"}),
        (Named(TEXT, single=True), "b", "b"),
        (Section({"a": TEXT}), {"a": "b"}, {"a": "b"}),
        (Section({"a": TEXT}), None, {}),
        (Section({"a": TEXT}, open=True), {"a": "b", "other": 1}, {"a": "b"}),
        (Section({"a": Value(int, 3), "b": Items(TEXT, default=()), "c": Value(int)}), {}, {"a": 3, "b": []}),
        (Section({"a": Section({"b": Value(int, 1)}, always=True)}), {}, {"a": {"b": 1}}),
        (Typed({"A": Section({"b": TEXT})}), {"type": "A", "b": "c"}, {"type": "A", "b": "c"}),
    ],
)
def test_right_values_take_their_final_form(node: Node, value: Any, expected: Any) -> None:
    result, faults = check(node, value)
    assert faults == []
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("node", "value", "fault"),
    [
        (TEXT, 1, "x (1) must be text"),
        (TEXT, None, "x is empty; give text or leave the line out"),
        (Value(str, filled=True), "", "x is empty; give text or leave the line out"),
        (Value(float), True, "x (True) must be a number"),
        (Value(float), "inf", "x ('inf') must be a number"),
        (Value(bool), 1, "x (1) must be True or False"),
        (Value(int, low=1), 0, "x (0) must be at least 1"),
        (Value(float, above=0), 0, "x (0.0) must be greater than 0"),
        (Value(float, high=1), 2, "x (2.0) must be at most 1"),
        (Value(str, choices=("a", "b")), "c", "x ('c') must be one of a, b"),
        (Items(TEXT), "a", "x ('a') must be a list"),
        (Items(TEXT, length=2), ["a"], "x (['a']) must be a list of 2 values"),
        (Items(TEXT, filled=True), [], "x ([]) must be a list with at least one item"),
        (Items(TEXT), ["a", 1], "x.1 (1) must be text"),
        (Named(TEXT), "a", "x ('a') must be names with values"),
        (Named(TEXT), {}, "x ({}) must be names with values"),
        (Named(TEXT), {True: "a"}, "x ({True: 'a'}) must be names with values; put names that are not text in quotes"),
        (Named(TEXT), {"a": 1}, "x.a (1) must be text"),
        (Section({"a": TEXT}), 3, "x (3) must be a section with names such as a"),
        (Section({"a": TEXT}, required=("a",)), {}, "x.a is missing; give it a value"),
        (Section({"a": TEXT}, open=True), {"a": 1}, "x.a (1) must be text"),
        (Typed({"A": Section({})}), {"type": "B"}, "x.type (B) is not supported here; valid types are A"),
    ],
)
def test_a_wrong_value_is_named_with_its_rule(node: Node, value: Any, fault: str) -> None:
    result, faults = check(node, value)
    assert faults == [fault]
    assert result is INVALID or result == {}


def test_booleans_are_not_numbers() -> None:
    faults = Faults(Value(float))
    Value(float).check(True, "name", faults)
    Value(bool).check(1, "name", faults)
    assert len(faults) == 2


def test_all_faults_of_a_tree_come_at_once_and_what_is_right_remains() -> None:
    node = Section({"a": Value(int), "b": Items(TEXT), "c": TEXT, "d": TEXT}, required=("d",))
    result, faults = check(node, {"a": "one", "b": [1, 2], "c": "right", "e": 0})
    assert result == {"c": "right"}
    assert [fault.split()[0] for fault in faults] == ["x.a", "x.b.0", "x.b.1", "x.e", "x.d"]
