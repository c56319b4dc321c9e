"""Nodes of conditions, made of parts whose types are checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scimind.config.schema import show
from scimind.errors import excerpt
from scimind.generate.wishes.expressions import (
    Arithmetic,
    Comparison,
    Constant,
    Expression,
    Junction,
    Membership,
    Minus,
    Not,
    Reading,
    Strength,
    write_number,
    write_text,
)
from scimind.generate.wishes.formulas import parse_formula
from scimind.generate.wishes.measures import Facts, Kind, Measure, parse_scaffold
from scimind.generate.wishes.words import Word, fault

_SPELLED = (Kind.FORMULA, Kind.SCAFFOLD)
_NO_MOLECULE = Facts(None)  # of which constants need nothing


def number(word: Word) -> Constant:
    """Returns a number; it must be finite."""
    content = float(word.text)
    if not math.isfinite(content):
        raise fault(word.start, f"{excerpt(word.text)} is too large; numbers must be finite")
    return Constant(word.start, write_number(content), Kind.NUMBER, Strength.UNIT, content=content)


def text(word: Word) -> Constant:
    """Returns a text without its quotes; what it spells depends on what it is compared with."""
    content = word.text[1:-1]
    if not content.isprintable():
        raise fault(word.start, f"the text {show(content)} contains control characters; remove them")
    return Constant(word.start, write_text(content), Kind.TEXT, Strength.UNIT, content=content)


def reading(word: Word, measure: Measure) -> Reading:
    """Returns what is measured of a molecule."""
    argument = "" if measure.argument is None else f"({write_text(measure.argument)})"
    return Reading(word.start, measure.name + argument, measure.kind, Strength.UNIT, measure=measure)


def signed(sign: Word, part: Expression) -> Expression:
    """Returns a number with a sign before it."""
    _require_numbers([part])
    if sign.text == "+":
        return part
    if isinstance(part, Constant):
        content = -part.content
        strength = Strength.MINUS if content < 0 else Strength.UNIT
        return Constant(sign.start, write_number(content), Kind.NUMBER, strength, content=content)
    return Minus(sign.start, f"-{part.inside(Strength.MINUS)}", Kind.NUMBER, Strength.MINUS, (part,))


def arithmetic(parts: Sequence[Expression], signs: Sequence[str]) -> Expression:
    """Returns a sum or a product of two or more numbers; a single part is returned as it is."""
    if not signs:
        return parts[0]
    _require_numbers(parts)
    strength = Strength.SUM if signs[0] in "+-" else Strength.PRODUCT
    written = _chain(parts, signs, Strength(strength + 1))
    result = Arithmetic(parts[0].start, written, Kind.NUMBER, strength, tuple(parts), signs=tuple(signs))
    if _is_constant(result) and result.value(_NO_MOLECULE) is None:
        raise fault(result.start, f"{excerpt(written)} is not a finite number; correct it")
    return result


def comparison(parts: Sequence[Expression], signs: Sequence[Word]) -> Comparison:
    """Returns a comparison of numbers, or of a formula or scaffold with a text, in either order."""
    if any(part.kind in _SPELLED for part in parts):
        parts = _spelled_comparison(parts, signs)
    else:
        _require_numbers(parts)
    marks = [sign.text for sign in signs]
    written = _chain(parts, marks, Strength.SUM)
    result = Comparison(parts[0].start, written, Kind.CONDITION, Strength.COMPARISON, tuple(parts), signs=tuple(marks))
    _require_molecule(result)
    return result


def membership(part: Expression, options: Sequence[Expression], is_denied: bool) -> Expression:
    """Returns whether a value is one of several, or with `is_denied` none of them."""
    if part.kind in _SPELLED:
        options = [_spell(option, part) for option in options]
    else:
        _require_numbers([part, *options])
    listed = ", ".join(option.text for option in options)
    written = f"{part.inside(Strength.SUM)} in ({listed})"
    result = Membership(part.start, written, Kind.CONDITION, Strength.COMPARISON, (part, *options))
    _require_molecule(result)
    if not is_denied:
        return result
    denied = f"{part.inside(Strength.SUM)} not in ({listed})"
    return Not(part.start, denied, Kind.CONDITION, Strength.COMPARISON, (result,))


def opposite(sign: Word, part: Expression) -> Not:
    """Returns the opposite of a condition."""
    require_condition(part)
    written = part.text if part.strength in (Strength.NOT, Strength.UNIT) else f"({part.text})"
    return Not(sign.start, f"not {written}", Kind.CONDITION, Strength.NOT, (part,))


def junction(parts: Sequence[Expression], mark: str) -> Expression:
    """Returns conditions joined by `and` or `or`, with nested ones of the same kind; a single part stays as it is."""
    if len(parts) == 1:
        return parts[0]
    for part in parts:
        require_condition(part)
    strength = Strength.AND if mark == "and" else Strength.OR
    flat = [inner for part in parts for inner in (part.parts if part.strength == strength else (part,))]
    written = f" {mark} ".join(part.inside(strength) for part in flat)
    return Junction(flat[0].start, written, Kind.CONDITION, strength, tuple(flat), decides=mark == "or")


def require_condition(part: Expression) -> None:
    """Refuses what is not a condition but a value.

    Raises:
        ConfigError: With an example of a condition.
    """
    if part.kind is Kind.CONDITION:
        return
    example = {
        Kind.NUMBER: f"compare it, as in {_short(part)} < 5",
        Kind.FORMULA: "compare it, as in formula == 'C9H8O4'",
        Kind.SCAFFOLD: "compare it, as in scaffold == 'c1ccccc1'",
        Kind.TEXT: f"to ask for a substructure, write has({_short(part)})",
    }
    raise fault(part.start, f"{_short(part)} is {part.kind.value}, not a condition; {example[part.kind]}")


def require_number(part: Expression) -> None:
    """Refuses what is not a number.

    Raises:
        ConfigError: With what to do instead.
    """
    if part.kind is not Kind.NUMBER:
        raise fault(part.start, f"{_short(part)} is {part.kind.value}, not a number; {_instead_of_number(part)}")


def _require_numbers(parts: Sequence[Expression]) -> None:
    for part in parts:
        require_number(part)


def _instead_of_number(part: Expression) -> str:
    if part.kind is Kind.TEXT:
        return "write numbers without quotes, and compare texts with formula or scaffold"
    if part.kind is not Kind.CONDITION:
        return f"compare it with a text by == or !=, as in {_short(part)} == '…'"
    if isinstance(part, Reading):
        return f"write it alone or after not, or count matches with count({write_text(part.measure.argument or '')})"
    return "join conditions with and, or, not"


def _spelled_comparison(parts: Sequence[Expression], signs: Sequence[Word]) -> Sequence[Expression]:
    """Returns the parts of a comparison with a formula or scaffold, with the text as what it spells."""
    for sign in signs:
        if sign.text not in ("==", "!="):
            name = next(part for part in parts if part.kind in _SPELLED).text
            raise fault(sign.start, f"{sign.text} does not compare {name}; use == or !=")
    if len(parts) > 2:
        raise fault(signs[1].start, "a chain compares only numbers; write two comparisons joined with and")
    first, second = parts
    return [first, _spell(second, first)] if first.kind in _SPELLED else [_spell(first, second), second]


def _spell(part: Expression, other: Expression) -> Constant:
    """Returns a text as the formula or scaffold that it spells, to be compared with `other`."""
    if not isinstance(part, Constant) or part.kind is not Kind.TEXT:
        raise fault(part.start, f"{_short(part)} is not a text; compare {other.text} with a text in quotes")
    content: Any
    if other.kind is Kind.FORMULA:
        content = parse_formula(part.content, part.start + 1)
    else:
        content = parse_scaffold(part.content, part.start + 1)
    return Constant(part.start, write_text(str(content)), other.kind, Strength.UNIT, content=content)


def _require_molecule(result: Expression) -> None:
    if _is_constant(result):
        raise fault(result.start, f"{excerpt(result.text)} is the same for all molecules; compare with a descriptor")


def _is_constant(part: Expression) -> bool:
    return next(part.measures(), None) is None


def _chain(parts: Sequence[Expression], signs: Sequence[str], strength: Strength) -> str:
    rest = (f" {sign} {part.inside(strength)}" for sign, part in zip(signs, parts[1:], strict=True))
    return parts[0].inside(strength) + "".join(rest)


def _short(part: Expression) -> str:
    return excerpt(part.text)
