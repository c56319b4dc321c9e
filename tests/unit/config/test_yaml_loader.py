"""YAML is parsed within limits, and each fault is one line with its place."""

from __future__ import annotations

import time

import pytest

from scimind.config.yaml_loader import parse_yaml
from scimind.errors import ConfigError


def bomb(levels: int) -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    lines = ["m0: &m0 {a: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(12), "run.yaml:5: not valid YAML: more than 100,000 values"),
        (merges(12), "not valid YAML: more than 100,000 values"),
        ("a: &a [1, *a]", "run.yaml:1: not valid YAML: an alias inside what it stands for"),
        ("a:\n" + "[" * 5000, "run.yaml:2: not valid YAML: nested deeper than 50 levels"),
        ("\n".join("  " * n + "a:" for n in range(60)), "nested deeper than 50 levels"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 20 + "*a" + "]" * 20, "run.yaml:2: not valid YAML: nested"),
        ("a: 1\nb: " + "1" * 5000, "run.yaml:2: not valid YAML: a number of 5,000 characters"),
        ("a: 0x" + "f" * 5000, "a number of 5,002 characters"),
        ("a: 2023-02-30", "run.yaml:1: not valid YAML: 2023-02-30 is not a valid number or date"),
        ("a: 1\na: 2", "run.yaml:2: not valid YAML: 'a' is given twice"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_a_fault_is_one_line_within_a_second(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "run.yaml")
    assert time.process_time() - start < 1
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_and_merges_within_the_limits_are_read() -> None:
    assert parse_yaml(bomb(4))["l3"][9][9][9] == ["x"] * 10
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")["b"] == {"x": 1, "y": 3}
    assert parse_yaml("a: 2024-02-29")["a"].day == 29
    assert parse_yaml("'1': " + "'" + "1" * 5000 + "'") == {"1": "1" * 5000}
