"""Conditions on molecules, and which of them a molecule does not fulfil."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scimind.errors import ConfigError
from scimind.generate.wishes.expressions import Expression, Junction, Strength
from scimind.generate.wishes.measures import Facts, Kind
from scimind.generate.wishes.parser import parse

LONGEST = 2_000


@dataclass(frozen=True)
class Wish:
    """Conditions that a molecule must fulfil, all of them.

    A condition without a value is not fulfilled, and neither is its opposite: RDKit cannot compute a descriptor for the
    molecule, its value is not finite, or the condition divides by zero.

    Attributes:
        text: The conditions in their normal form: the same for texts that differ in spaces, quotes, needless
            parentheses, or the spelling of numbers, formulas and scaffolds.
        names: The names and functions used, in order.
        conditions: The conditions joined by `and`.
    """

    text: str
    names: tuple[str, ...]
    conditions: tuple[Expression, ...]

    def fits(self, molecule: Any) -> bool:
        """Returns whether a molecule fulfils all conditions; those after the first unfulfilled one are not computed.

        Args:
            molecule: RDKit's molecule, sanitized, with implicit hydrogens.
        """
        facts = Facts(molecule)
        return all(condition.value(facts) is True for condition in self.conditions)

    def unmet(self, molecule: Any) -> list[str]:
        """Returns the conditions that a molecule does not fulfil, in their order, empty if it fulfils all.

        Args:
            molecule: RDKit's molecule, sanitized, with implicit hydrogens.
        """
        facts = Facts(molecule)
        failed = [condition.text for condition in self.conditions if condition.value(facts) is not True]
        return list(dict.fromkeys(failed))


def parse_wish(text: str) -> Wish:
    """Returns the conditions that a text describes. It is never run as Python.

    Args:
        text: Conditions on a molecule, such as `MolWt < 500 and not has('[N+](=O)[O-]')`, at most 2,000 characters.

    Raises:
        ConfigError: The text is empty, too long, or not understood. The message has one line, with the column.
    """
    tree = parse(_checked(text))
    conditions = tree.parts if isinstance(tree, Junction) and tree.strength is Strength.AND else (tree,)
    names = tuple(dict.fromkeys(measure.name for measure in tree.measures()))
    return Wish(tree.text, names, conditions)


@dataclass(frozen=True)
class Number:
    """A number that is computed from a molecule, such as `qed` or `-abs(MolLogP - 2)`.

    Attributes:
        text: Its normal form.
    """

    text: str
    expression: Expression

    def value(self, molecule: Any) -> float:
        """Returns the number for RDKit's molecule, NaN where it has no value."""
        found = self.expression.value(Facts(molecule))
        return math.nan if found is None else float(found)


def parse_number(text: str) -> Number:
    """Returns the number that a text describes, in the language of conditions. It is never run as Python.

    Raises:
        ConfigError: The text is empty, too long, not understood, or not a number. The message has one line.
    """
    tree = parse(_checked(text), Kind.NUMBER)
    return Number(tree.text, tree)


def _checked(text: str) -> str:
    if len(text) > LONGEST:
        raise ConfigError(f"the conditions have {len(text):,} characters; at most {LONGEST:,} are allowed")
    if not text.strip():
        raise ConfigError("the conditions are empty; write some, such as MolWt < 500 and NumHDonors <= 5")
    return text
