"""The tree of conditions: nodes that have a value for a molecule, and their text in its normal form.

A value is None if RDKit cannot compute it for the molecule, and after a division by zero. A comparison with it is
neither true nor false, and neither is the opposite; `and`, `or` and `not` follow Kleene's logic.

Source: S. C. Kleene, Introduction to Metamathematics (1952), section 64.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from scimind.generate.wishes.measures import Facts, Kind, Measure

# Two numbers are equal within these: 180.159 is aspirin's weight, which RDKit computes as 180.15899999999996.
RELATIVE_TOLERANCE = 1e-9
ABSOLUTE_TOLERANCE = 1e-12

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_LARGEST_WHOLE = 1e15


class Strength(IntEnum):
    """How strongly the parts of a node hang together; parts that are weaker than their node need parentheses."""

    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    PRODUCT = 6
    MINUS = 7
    UNIT = 8


@dataclass(frozen=True)
class Expression:
    """A node.

    Attributes:
        start: Index of its first character in the text that the user wrote.
        text: Its normal form.
        kind: The type of its value.
        strength: How strongly it binds.
        parts: The nodes from which its value is computed.
    """

    start: int
    text: str
    kind: Kind
    strength: Strength
    parts: tuple[Expression, ...] = ()

    def value(self, facts: Facts) -> Any:
        """Returns its value for a molecule, None if there is none."""
        raise NotImplementedError

    def measures(self) -> Iterator[Measure]:
        """Yields what is measured, in the order of the text."""
        for part in self.parts:
            yield from part.measures()

    def inside(self, strength: Strength) -> str:
        """Returns its text as a part of a node, in parentheses if it binds less than `strength`."""
        return self.text if self.strength >= strength else f"({self.text})"


@dataclass(frozen=True)
class Constant(Expression):
    """A number, or a text in quotes.

    Attributes:
        content: The number; the text without its quotes; or what the text spells, such as a formula.
    """

    content: Any = None

    def value(self, facts: Facts) -> Any:
        """Returns the content."""
        return self.content


@dataclass(frozen=True)
class Reading(Expression):
    """Something measured of the molecule."""

    measure: Measure = field(kw_only=True)

    def value(self, facts: Facts) -> Any:
        """Returns the measured value."""
        return facts.value(self.measure)

    def measures(self) -> Iterator[Measure]:
        """Yields the measure."""
        yield self.measure


@dataclass(frozen=True)
class Minus(Expression):
    """The negative of a number."""

    def value(self, facts: Facts) -> float | None:
        """Returns the negative value."""
        number = self.parts[0].value(facts)
        return None if number is None else -number


@dataclass(frozen=True)
class Arithmetic(Expression):
    """A sum or a product, from left to right.

    Attributes:
        signs: The sign between each two parts.
    """

    signs: tuple[str, ...] = ()

    def value(self, facts: Facts) -> float | None:
        """Returns the result; None if it is not finite."""
        result = self.parts[0].value(facts)
        for sign, part in zip(self.signs, self.parts[1:], strict=True):
            number = part.value(facts)
            if result is None or number is None or (sign == "/" and number == 0):
                return None
            result = _ARITHMETIC[sign](result, number)
        return result if result is not None and math.isfinite(result) else None


@dataclass(frozen=True)
class Comparison(Expression):
    """A comparison, or a chain of them, each of neighbours.

    Attributes:
        signs: The sign between each two parts.
    """

    signs: tuple[str, ...] = ()

    def value(self, facts: Facts) -> bool | None:
        """Returns whether all hold."""
        left = self.parts[0].value(facts)
        is_known = True
        for sign, part in zip(self.signs, self.parts[1:], strict=True):
            right = part.value(facts)
            if left is None or right is None:
                is_known = False
            elif not COMPARISONS[sign](_difference(left, right), 0):
                return False
            left = right
        return True if is_known else None


@dataclass(frozen=True)
class Membership(Expression):
    """Whether the first part equals one of the others."""

    def value(self, facts: Facts) -> bool | None:
        """Returns whether one is equal."""
        value = self.parts[0].value(facts)
        if value is None:
            return None
        others = [part.value(facts) for part in self.parts[1:]]
        if any(other is not None and _difference(value, other) == 0 for other in others):
            return True
        return None if None in others else False


@dataclass(frozen=True)
class Not(Expression):
    """The opposite of a condition."""

    def value(self, facts: Facts) -> bool | None:
        """Returns the opposite."""
        holds = self.parts[0].value(facts)
        return None if holds is None else not holds


@dataclass(frozen=True)
class Junction(Expression):
    """Several conditions joined by `and` or by `or`.

    Attributes:
        decides: The value of a part that decides the whole: False for `and`, True for `or`.
    """

    decides: bool = False

    def value(self, facts: Facts) -> bool | None:
        """Returns whether the conditions hold; those after the first that decides are not computed."""
        is_known = True
        for part in self.parts:
            holds = part.value(facts)
            if holds is self.decides:
                return holds
            is_known = is_known and holds is not None
        return not self.decides if is_known else None


def write_number(number: float) -> str:
    """Returns a number in its normal form, without a fraction if it is whole."""
    if number.is_integer() and abs(number) < _LARGEST_WHOLE:
        return str(int(number))
    return repr(number)


def write_text(text: str) -> str:
    """Returns a text in quotes; it contains quotes of one kind at most."""
    return f'"{text}"' if "'" in text else f"'{text}'"


def _difference(left: Any, right: Any) -> int:
    """Returns the sign of the difference of two numbers, 0 if they are equal; for other values, whether they differ."""
    if not isinstance(left, float):
        return int(left != right)
    if math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE):
        return 0
    return 1 if left > right else -1
