"""Faults suggest where an unknown key belongs, by the schema that is being checked and no other."""

from __future__ import annotations

import pytest

from scimind.config.nodes import Items, Named, Section, Typed, Value
from scimind.config.schema import Faults, acting_names, homes_of, nearest

LION = Section({"beta": Value(float)})
ROOT = Section(
    {
        "seed": Value(int),
        "runner": Section({"epochs": Value(int), "deep": Section({"seed": Value(int)})}),
        "optimizer": Typed({"Lion": LION}, others={"rate": Value(float)}),
        "steps": Items(Section({"hidden": Value(int)})),
        "tasks": Named(Section({"weight": Value(float)})),
    }
)


def test_names_are_those_that_can_be_reached_without_a_list_or_a_chosen_name() -> None:
    assert list(acting_names(ROOT)) == [
        *("seed", "runner", "runner.epochs", "runner.deep", "runner.deep.seed"),
        *("optimizer", "optimizer.rate", "optimizer.beta", "steps", "tasks"),
    ]


def test_the_shortest_home_comes_first() -> None:
    assert homes_of("seed", ROOT) == ["seed", "runner.deep.seed"]
    assert homes_of("nothing", ROOT) == []


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"epochs": 1}, "epochs is not a setting; the nearest valid one is runner.epochs"),
        ({"runner": {"epoch": 1}}, "runner.epoch is not a setting; the nearest valid one is runner.epochs"),
        (
            {"optimizer": {"type": "Lion", "betas": 1}},
            "optimizer.betas is not a setting; the nearest valid one is opti",
        ),
        ({"steps": [{"seed": 1}]}, "steps.0.seed is not a setting; the nearest valid one is seed"),
        ({"tasks": {"a": {"wieght": 1}}}, "tasks.a.wieght is not a setting; the nearest valid one is tasks.a.weight"),
        ({1: 2}, "1 is not a setting; valid here are seed, runner, optimizer, steps, tasks"),
    ],
)
def test_an_unknown_key_gets_the_place_where_it_belongs(tree: dict[object, object], fault: str) -> None:
    faults = Faults(ROOT)
    ROOT.check(tree, "", faults)
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_a_schema_knows_no_other() -> None:
    """`epochs` is a setting of a run, but not of this schema."""
    other = Section({"name": Value(str)})
    faults = Faults(other)
    other.check({"epochs": 1}, "", faults)
    assert faults == ["epochs is not a setting; valid here are name"]


def test_nearest() -> None:
    assert nearest("temprature", ["top_p", "temperature"]) == "temperature"
    assert nearest("anything", []) is None
    assert nearest("a", ["task", "seed"]) is None
    assert nearest("x" * 100_000, ["x" * 80]) == "x" * 80
