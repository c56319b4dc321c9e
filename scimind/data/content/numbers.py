"""Measured values: a number in a cell, with its unit, on the scale and with the decimals that a task writes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# What is written: the values themselves, their decadic logarithms, or the negative logarithms of molar concentrations.
TRANSFORMS = ("", "log10", "p")
MOST_DIGITS = 12
# Places before the point: beyond them a float has no exact decimals, and a model nothing to learn.
MOST_PLACES = 15

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")
_DIGIT_GROUP = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 4,900 is 4.9 in some countries and 4900 in others
_UNCERTAIN = re.compile(r"\s*(?:±|\+/-|[\d.,<>~≈-])")
_EXPONENTS = {"M": 0, "mM": -3, "µM": -6, "nM": -9, "pM": -12}
# Of the last decimal: a smaller value belongs to another scale.
_SMALLEST_PART = 1e-3
_REMEDY = "raise digits, or set transform to log10"


@dataclass(frozen=True)
class NumberFormat:
    """How the values of a field are read from cells and written in answers.

    Args:
        digits: Number of decimals that are written, 0 … 12.
        unit: Unit of the values in cells, which a cell may repeat; empty for none.
        transform: One of `TRANSFORMS`: what is written is the value, its decadic logarithm (`log10`), or the negative
            decadic logarithm of a concentration in mol/L (`p`, as in pIC50), whose unit is M, mM, µM, nM or pM.
    """

    digits: int = 2
    unit: str = ""
    transform: str = ""

    def fault(self) -> str:
        """Returns what is wrong with the settings; empty if nothing is."""
        if self.transform == "p" and _same(self.unit) not in _EXPONENTS:
            return f"transform p needs a unit of concentration ({', '.join(_EXPONENTS)}), not {self.unit or 'none'}"
        return ""

    def read_cell(self, value: object) -> float:
        """Returns the value of a cell on the scale of the answers.

        Raises:
            ValueError: It is not one finite number, has another unit, or has no logarithm.
        """
        measured = self._measured(value)
        if not self.transform:
            return measured
        if measured <= 0:
            raise ValueError(f"{measured:g} has no logarithm; correct it or remove the record")
        logarithm = math.log10(measured)
        return logarithm if self.transform == "log10" else -logarithm - _EXPONENTS[_same(self.unit)]

    def read_reference(self, text: str) -> float:
        """Returns the number in a reference, which is on the scale of the answers.

        Raises:
            ValueError: It is not one finite number, or has a unit, which only values that are not transformed may have.
        """
        return read_number(text, "" if self.transform else self.unit)

    def read_answer(self, text: str) -> float | None:
        """Returns the number in an answer, which is on the scale of the answers; None if it is not one number."""
        try:
            return self.read_reference(text.strip().removesuffix("."))
        except ValueError:
            return None

    def write(self, value: float) -> str:
        """Returns a value on the scale of the answers as they write it.

        Raises:
            ValueError: The digits do not show it.
        """
        if 0 < abs(value) < _SMALLEST_PART * 10.0**-self.digits:
            raise ValueError(f"{value:g} would be written as 0 with digits {self.digits}; {_REMEDY}")
        if abs(value) >= 10.0**MOST_PLACES:
            raise ValueError(f"{value:g} has more than {MOST_PLACES} places before the point; set transform to log10")
        text = f"{value:.{self.digits}f}"
        return text if float(text) else text.removeprefix("-")

    def _measured(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError("it is not a number; write it as a number")
        return read_number(repr(value) if isinstance(value, float) else str(value), self.unit)


def read_number(text: str, unit: str = "") -> float:
    """Returns the number in a text: with a point or a decimal comma, an exponent, and perhaps its unit.

    Args:
        text: The text.
        unit: The unit that may follow the number; empty for none.

    Raises:
        ValueError: The text is not one finite number, may mean two, or has another unit.
    """
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    if plain.lstrip("+-").lower() in ("inf", "infinity"):
        raise ValueError("it is infinite; correct it or remove the record")
    found = _NUMBER.match(plain)
    if found is None:
        bound = plain[:1] in tuple("<>~≤≥≈")
        raise ValueError(f"it is {'a bound, not a' if bound else 'not a'} number; correct it or remove the record")
    number, rest = found[0], plain[found.end() :]
    if _UNCERTAIN.match(rest):
        raise ValueError("it is not one number; write one value, without a range or an uncertainty")
    _check_unit(rest.strip(), unit)
    if _DIGIT_GROUP.fullmatch(number):
        both = f"{number.replace(',', '.')} or {number.replace(',', '')}"
        raise ValueError(f"it may mean {both}; write it with a decimal point")
    value = float(number.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError("it is too large for a number; correct it or remove the record")
    return value


def _check_unit(written: str, unit: str) -> None:
    if not written or (unit and _same(written) == _same(unit)):
        return
    if unit:
        raise ValueError(f"its unit is {written}, and that of the field is {unit}; convert it or remove the record")
    raise ValueError(f"it has the unit {written}, and the field has none; set unit to {written}, or remove it")


def _same(unit: str) -> str:
    """Returns a unit with one of the three ways to write micro, and without white space."""
    plain = "".join(unit.split()).replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")
    return "\N{MICRO SIGN}M" if plain == "uM" else plain
