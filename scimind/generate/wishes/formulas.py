"""Molecular formulas, read in any order of elements."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

from scimind.config.schema import show
from scimind.generate.wishes.words import fault

_ELEMENT = re.compile(r"([A-Z][a-z]?|\*)([1-9][0-9]{0,5})?")
_CHARGE = re.compile(r"([+-])([1-9][0-9]{0,2})?")


class Formula(NamedTuple):
    """A formula with its elements in Hill's order: carbon, hydrogen, the others by the alphabet.

    Attributes:
        counts: The elements, and how many atoms of each.
        charge: The charge, in elementary charges.
    """

    counts: tuple[tuple[str, int], ...]
    charge: int

    def __str__(self) -> str:
        sign = "" if not self.charge else "+" if self.charge > 0 else "-"
        # After the count of a single element a mere sign can be read in two ways, as in Ca2+.
        number = "" if abs(self.charge) == 1 and not self._is_counted_element() else str(abs(self.charge))
        atoms = "".join(symbol + (str(count) if count > 1 else "") for symbol, count in self.counts)
        return atoms + (sign + number if sign else "")

    def _is_counted_element(self) -> bool:
        return len(self.counts) == 1 and self.counts[0][1] > 1


def formula_of(molecule: Any) -> Formula:
    """Returns the formula of an RDKit molecule; isotopes count as their elements."""
    from rdkit.Chem import rdMolDescriptors

    text = str(rdMolDescriptors.CalcMolFormula(molecule))
    symbols = _symbols(text)
    return _formula(symbols, _CHARGE.search(text))


def parse_formula(text: str, start: int) -> Formula:
    """Returns the formula that a text spells.

    Args:
        text: Elements with their numbers, in any order, and at last the charge: `C9H8O4`, `CH3CH2OH`, `O4S-2`.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: The text is not a formula, or its charge could be read in two ways, as in `Ca2+`.
    """
    symbols = _symbols(text)
    for element in symbols:
        if element[1] not in _elements():
            reason = f"{show(element[1])} in the formula {show(text)} is not an element; correct it"
            raise fault(start + element.start(), reason)
    end = symbols[-1].end() if symbols else 0
    charge = _CHARGE.match(text, end)
    if not symbols or (charge.end() if charge else end) < len(text):
        raise fault(
            start + end,
            f"{show(text)} is not a formula; write elements with their numbers, without parentheses, and the charge "
            "last, as in C9H8O4 or O4S-2",
        )
    if charge and not charge[2] and symbols[0][2] and len(symbols) == 1:
        (symbol, number), sign = symbols[0].groups(), charge[1]
        raise fault(
            start + end,
            f"the formula {show(text)} can be read in two ways; write {symbol}{sign}{number} for one atom with the "
            f"charge {sign}{number}, or {text}1 for {number} atoms with the charge {sign}1",
        )
    return _formula(symbols, charge)


def _symbols(text: str) -> list[re.Match[str]]:
    """Returns the elements at the beginning of a text, each with its number."""
    found: list[re.Match[str]] = []
    while match := _ELEMENT.match(text, found[-1].end() if found else 0):
        found.append(match)
    return found


def _formula(symbols: list[re.Match[str]], charge: re.Match[str] | None) -> Formula:
    counts: Counter[str] = Counter()
    for symbol in symbols:
        counts[symbol[1]] += int(symbol[2] or 1)
    first = ("C", "H") if "C" in counts else ()
    order = sorted(counts, key=lambda symbol: (first.index(symbol) if symbol in first else len(first), symbol))
    size = int(charge[2] or 1) if charge else 0
    return Formula(tuple((symbol, counts[symbol]) for symbol in order), -size if charge and charge[1] == "-" else size)


@lru_cache(maxsize=1)
def _elements() -> frozenset[str]:
    """Returns the symbols of the elements, and `*` of atoms of any element."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    numbers = range(1, table.GetMaxAtomicNumber() + 1)
    return frozenset({"*", *(table.GetElementSymbol(number) for number in numbers)})
