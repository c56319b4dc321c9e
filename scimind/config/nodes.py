"""The nodes from which schemas are built; see `scimind.config.schema` for what a node does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scimind.config.schema import INVALID, UNSET, Faults, Node, join, nearest, show


@dataclass(frozen=True)
class Value:
    """One setting.

    Args:
        kind: bool, int, float, str, list or dict (free form), or object (anything).
        default: Value of a missing setting; UNSET leaves it missing.
        low: Smallest allowed number.
        above: The number must be greater than this.
        high: Largest allowed number.
        choices: The allowed values; empty for any.
        nullable: Whether null is allowed.
        also: A second allowed kind, such as bool or str for `resume_training`.
        filled: Whether an empty text is a fault.
    """

    kind: type = object
    default: Any = UNSET
    low: float | None = None
    above: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    nullable: bool = False
    also: type | None = None
    filled: bool = False

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the value converted to its kind; see `scimind.config.schema`."""
        if value is None:
            if self.nullable or self.default is None or self.kind is object:
                return None
            return self._empty(name, faults)
        if self.filled and value == "":
            return self._empty(name, faults)
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

    def _empty(self, name: str, faults: Faults) -> Any:
        """Returns INVALID, after appending a fault that says what to give."""
        faults.append(f"{name} is empty; give {_KIND_NAMES[self.kind]} or leave the line out")
        return INVALID

    def _broken_rule(self, value: Any) -> str:
        """Returns the rule that a converted value breaks, empty if it breaks none."""
        if self.choices and value not in self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        if self.low is not None and value < self.low:
            return f"at least {self.low}"
        if self.above is not None and value <= self.above:
            return f"greater than {self.above}"
        high = _LARGEST_WHOLE if self.high is None and isinstance(value, int) else self.high
        if high is not None and value > high:
            return f"at most {high}"
        return ""


_LARGEST_WHOLE = 2**31 - 1  # of the int32 in which MindSpore counts

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

    YAML 1.1 reads `5e-5` and `1e6` as text because they lack a decimal point, but they are meant as numbers.
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
class Inert:
    """A setting of MindFormers that does nothing in a SciMind run.

    Existing files keep working: the values with which nothing is lost are accepted. Any other would be ignored, which
    is a fault.

    Args:
        values: The accepted values; empty if the setting cannot be given.
        instead: What to do instead, the end of the message.
        default: Value of a missing setting; UNSET leaves it missing.
    """

    values: tuple[Any, ...]
    instead: str = "leave it out"
    default: Any = UNSET

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns an accepted value; see `scimind.config.schema`."""
        if any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in self.values):
            return value
        faults.append(f"{name} ({show(value)}) does nothing here; {self.instead}")
        return INVALID


@dataclass(frozen=True)
class Repeats:
    """A second place of a setting, which does nothing: it must have the value of the place that acts.

    `scimind.config.rules` compares the two.

    Args:
        of: Dotted name of the setting that acts.
        node: The values.
    """

    of: str
    node: Node

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the checked value; see `scimind.config.schema`."""
        return self.node.check(value, name, faults)

    @property
    def default(self) -> Any:
        """UNSET: a missing second place stays missing."""
        return UNSET


@dataclass(frozen=True)
class Items:
    """A list whose items all have the same node.

    Args:
        item: The node of each item.
        length: The number of items; None for any.
        nullable: Whether null is allowed.
        single: Whether a single item may be given without a list.
        default: Value of a missing list; UNSET leaves it missing.
        filled: Whether an empty list is a fault.
    """

    item: Node
    length: int | None = None
    nullable: bool = False
    single: bool = False
    default: Any = UNSET
    filled: bool = False

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the list with its items checked; see `scimind.config.schema`."""
        if value is None and self.nullable:
            return None
        if self.single and not isinstance(value, list | tuple):
            return self.item.check(value, name, faults)
        if not isinstance(value, list | tuple) or (self.length is not None and len(value) != self.length):
            count = "" if self.length is None else f" of {self.length} values"
            faults.append(f"{name} ({show(value)}) must be a list{count}")
            return INVALID
        if self.filled and not value:
            faults.append(f"{name} ({show(value)}) must be a list with at least one item")
            return INVALID
        items = [self.item.check(item, f"{name}.{place}", faults) for place, item in enumerate(value)]
        return INVALID if any(item is INVALID for item in items) else items


@dataclass(frozen=True)
class Named:
    """One or several items under names chosen by the user.

    Args:
        item: The node of each item.
        single: Whether a single item may be given without a name.
        default: Value if there are no names; UNSET leaves it missing.
    """

    item: Node
    single: bool = False
    default: Any = UNSET

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns a dict of the items, or the item without a name; see `scimind.config.schema`."""
        if self.single and not isinstance(value, Mapping):
            return self.item.check(value, name, faults)
        if not isinstance(value, Mapping) or not value:
            faults.append(f"{name} ({show(value)}) must be names with values")
            return INVALID
        if not all(isinstance(key, str) and key for key in value):
            faults.append(f"{name} ({show(value)}) must be names with values; put names that are not text in quotes")
            return INVALID
        items = {key: self.item.check(item, join(name, key), faults) for key, item in value.items()}
        return INVALID if any(item is INVALID for item in items.values()) else items


@dataclass(frozen=True)
class Section:
    """A section of named settings.

    Args:
        fields: The node of each name.
        required: Names that must be present.
        always: Whether a missing section is created from defaults.
        open: Whether other names are allowed; they are left out of the result.
    """

    fields: Mapping[str, Node]
    required: tuple[str, ...] = ()
    always: bool = False
    open: bool = False

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns a dict with defaults filled in and faulty settings left out; see `scimind.config.schema`."""
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
                checked = self.fields[key].check(item, join(name, key), faults)
                if checked is not INVALID:
                    result[key] = checked
            elif not self.open:
                faults.add_unknown(key, name, self.fields)
        for key in self.required:
            if key not in value:
                faults.append(f"{join(name, key)} is missing; give it a value")
        for key, node in self.fields.items():
            if key not in value:
                self._fill(result, key, node, join(name, key), faults)
        return result

    @staticmethod
    def _fill(result: dict[str, Any], key: str, node: Node, name: str, faults: Faults) -> None:
        """Adds the default of a missing setting to `result`, if it has one."""
        default = getattr(node, "default", UNSET)
        if default is not UNSET:
            result[key] = list(default) if isinstance(default, tuple) else default
        elif getattr(node, "always", False):
            result[key] = node.check({}, name, faults)


@dataclass(frozen=True)
class Typed:
    """A section whose settings depend on its `type`, as for everything that MindFormers builds by name."""

    variants: Mapping[str, Section]
    others: Mapping[str, Node] = field(default_factory=dict)

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the checked section of the named type; `others` are settings of every type."""
        if not isinstance(value, Mapping):
            faults.append(f"{name} ({show(value)}) must be a section with a type")
            return INVALID
        kind = str(value.get("type"))
        if kind not in self.variants:
            guess = nearest(kind, self.variants)
            remedy = f"the nearest valid type is {guess}" if guess else f"valid types are {', '.join(self.variants)}"
            what = "is missing" if value.get("type") is None else f"({kind}) is not supported here"
            faults.append(f"{name}.type {what}; {remedy}")
            return INVALID
        chosen = self.variants[kind]
        fields: dict[str, Node] = {"type": Value(str), **self.others, **chosen.fields}
        return Section(fields, chosen.required).check(value, name, faults)
