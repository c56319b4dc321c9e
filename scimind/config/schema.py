"""Schema nodes: what a setting may be, and the walk that checks a tree of settings against them.

A node has `check(value, name, faults)`: it returns the value in its final form (numbers written as text become numbers,
defaults are filled in), or `INVALID` after it appended a sentence to `faults`. The nodes know nothing of any particular
schema: run configurations, tasks, mixtures and rank tables are all made of them.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scimind.errors import excerpt


class _Marker:
    """A value that no YAML can hold."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


INVALID: Any = _Marker("INVALID")
UNSET: Any = _Marker("UNSET")


class Node(Protocol):
    """A place in the schema."""

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the checked value, or INVALID with a fault appended."""
        ...


class Faults(list[str]):
    """One sentence for each fault of a tree of settings.

    Args:
        root: The schema of the whole tree, in which an unknown key may have another place.
    """

    def __init__(self, root: Node) -> None:
        super().__init__()
        self.root = root

    def add_unknown(self, key: object, section: str, siblings: Iterable[str]) -> None:
        """Appends that a key is unknown, with the place where that very name belongs, or else the nearest sibling.

        Args:
            key: The key.
            section: Dotted name of the section that has it, empty for the whole tree.
            siblings: The names that the section may hold.
        """
        homes = homes_of(str(key), self.root)
        valid = homes[0] if homes else _join(section, nearest(str(key), siblings))
        self.append(f"{_join(section, key)} is not a setting; the nearest valid one is {valid}")


def show(value: Any) -> str:
    """Returns a value as it stands in a message, cut to 80 characters."""
    return excerpt(repr(value))


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate that is most like `word`; None if there is none."""
    return max(sorted(candidates), key=lambda other: difflib.SequenceMatcher(None, word, other).ratio(), default=None)


@dataclass(frozen=True)
class Value:
    """One setting.

    Args:
        kind: bool, int, float, str, list or dict (free form), or object (anything).
        default: Filled in where the setting is missing; UNSET leaves it missing.
        low: Smallest number allowed.
        above: The number must be greater than this.
        high: Largest number allowed.
        choices: The values allowed; empty for any.
        nullable: Whether null is allowed.
        also: A second kind that is allowed, such as bool or str for `resume_training`.
    """

    kind: type = object
    default: Any = UNSET
    low: float | None = None
    above: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    nullable: bool = False
    also: type | None = None

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the value as its kind; see the module."""
        if value is None:
            if self.nullable or self.default is None or self.kind is object:
                return None
            faults.append(f"{name} is empty; give {_KIND_NAMES[self.kind]} or leave the line out")
            return INVALID
        result = _convert(value, self.kind)
        if result is INVALID and self.also is not None:
            result = _convert(value, self.also)
        if result is INVALID:
            faults.append(f"{name} ({show(value)}) must be {_KIND_NAMES[self.kind]}")
            return INVALID
        rule = self._broken_rule(result)
        if rule:
            faults.append(f"{name} ({show(result)}) must be {rule}")
            return INVALID
        return result

    def _broken_rule(self, value: Any) -> str:
        """Returns the rule that a converted value breaks, empty if none."""
        if self.choices and value not in self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        if self.low is not None and value < self.low:
            return f"at least {self.low}"
        if self.above is not None and value <= self.above:
            return f"greater than {self.above}"
        if self.high is not None and value > self.high:
            return f"at most {self.high}"
        return ""


_KIND_NAMES = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "a section",
    list: "a list",
    object: "a value",
}


def _convert(value: Any, kind: type) -> Any:
    """Returns `value` as `kind`, or INVALID.

    YAML 1.1 reads `5e-5` and `1e6` as text because they have no point; a number is meant.
    """
    if kind is object:
        return value
    if kind is dict:
        return dict(value) if isinstance(value, Mapping) else INVALID
    if isinstance(value, bool):
        return value if kind is bool else INVALID
    if kind is float:
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):
            return INVALID
        return number if math.isfinite(number) else INVALID
    return value if type(value) is kind else INVALID


@dataclass(frozen=True)
class Items:
    """A list whose items are all of one node; a single value stands for a list of one if `single` is set."""

    item: Node
    length: int | None = None
    nullable: bool = False
    single: bool = False
    default: Any = UNSET

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns a list; see the module."""
        if value is None and self.nullable:
            return None
        if self.single and not isinstance(value, list | tuple):
            return self.item.check(value, name, faults)
        if not isinstance(value, list | tuple) or (self.length is not None and len(value) != self.length):
            count = "" if self.length is None else f" of {self.length} values"
            faults.append(f"{name} ({show(value)}) must be a list{count}")
            return INVALID
        items = [self.item.check(item, f"{name}.{place}", faults) for place, item in enumerate(value)]
        return INVALID if any(item is INVALID for item in items) else items


@dataclass(frozen=True)
class Named:
    """One item, or several items under names that the user chooses."""

    item: Node

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the item, or a dict of them; see the module."""
        if not isinstance(value, Mapping):
            return self.item.check(value, name, faults)
        if not value or not all(isinstance(key, str) and key for key in value):
            faults.append(f"{name} ({show(value)}) must be names with values")
            return INVALID
        items = {key: self.item.check(item, _join(name, key), faults) for key, item in value.items()}
        return INVALID if any(item is INVALID for item in items.values()) else items


@dataclass(frozen=True)
class Section:
    """Named settings.

    Args:
        fields: Node of each name.
        required: Names that must be there.
        always: Whether the section is made, from defaults, where it is missing.
    """

    fields: Mapping[str, Node]
    required: tuple[str, ...] = ()
    always: bool = False

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns a dict with the defaults filled in; settings with faults are left out of it."""
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            faults.append(
                f"{name} ({show(value)}) must be a section with names such as {', '.join(list(self.fields)[:3])}"
            )
            return INVALID
        result: dict[str, Any] = {}
        for key, item in value.items():
            if key in self.fields:
                checked = self.fields[key].check(item, _join(name, key), faults)
                if checked is not INVALID:
                    result[key] = checked
            else:
                faults.add_unknown(key, name, self.fields)
        for key in self.required:
            if key not in value:
                faults.append(f"{_join(name, key)} is missing; give it a value")
        for key, node in self.fields.items():
            if key not in value:
                self._fill(result, key, node, _join(name, key), faults)
        return result

    @staticmethod
    def _fill(result: dict[str, Any], key: str, node: Node, name: str, faults: Faults) -> None:
        """Puts the default of a missing setting into `result`, if it has one."""
        default = getattr(node, "default", UNSET)
        if default is not UNSET:
            result[key] = list(default) if isinstance(default, tuple) else default
        elif getattr(node, "always", False):
            result[key] = node.check({}, name, faults)


@dataclass(frozen=True)
class Typed:
    """A section whose settings depend on its `type`, as everything that MindFormers builds by name."""

    variants: Mapping[str, Section]
    others: Mapping[str, Node] = field(default_factory=dict)

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the section of the named type, checked; `others` are settings of every type."""
        if not isinstance(value, Mapping):
            faults.append(f"{name} ({show(value)}) must be a section with a type")
            return INVALID
        kind = str(value.get("type"))
        if kind not in self.variants:
            guess = nearest(kind, self.variants)
            what = "is missing" if value.get("type") is None else f"({kind}) is not known here"
            faults.append(f"{name}.type {what}; the nearest valid type is {guess}")
            return INVALID
        chosen = self.variants[kind]
        fields: dict[str, Node] = {"type": Value(str), **self.others, **chosen.fields}
        return Section(fields, chosen.required).check(value, name, faults)


def _join(name: str, key: object) -> str:
    """Returns the dotted name of `key` inside `name`."""
    return f"{name}.{key}" if name else str(key)


def dotted_names(node: Node, prefix: str = "") -> Iterator[str]:
    """Yields the dotted name of every section and setting in `node` that can be reached without a list."""
    fields = dict(getattr(node, "fields", {}))
    if isinstance(node, Typed):
        fields.update(node.others)
        for variant in node.variants.values():
            fields.update(variant.fields)
    for key, child in fields.items():
        name = _join(prefix, key)
        yield name
        yield from dotted_names(child, name)


def homes_of(key: str, root: Node) -> list[str]:
    """Returns the dotted names in `root` that end in `key`, the shortest first."""
    homes = [name for name in dotted_names(root) if name.rpartition(".")[2] == key]
    return sorted(homes, key=lambda name: name.count("."))
