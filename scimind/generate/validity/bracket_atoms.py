"""Atoms in SMILES: what may be between brackets, and how many bonds RDKit lets an atom have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

AROMATIC_SYMBOLS = ("b", "c", "n", "o", "p", "s", "se", "te", "as", "si")
UNLIMITED = 99  # bonds of an atom without a rule, such as a metal or `*`
_MOST_BONDS = 16
_CHIRAL = r"(?:@@|@(?:TH[12]|AL[12]|SP[123]|TB(?:1?\d|20)|OH(?:[12]?\d|30))?)"
_CHIRAL_START = r"@(?:TH?|AL?|SP?|TB?|OH?)"
_HYDROGENS = r"(H\d?)?"
_CHARGE = r"(\+\+|--|[+-](?:1[0-5]|\d)?)?"
_CHARGES = ("", "+", "-", *map(str, range(16)), *(f"{sign}{number}" for sign in "+-" for number in range(2, 16)))


@dataclass(frozen=True)
class Atom:
    """What an atom's symbol says about its bonds.

    Attributes:
        symbol: The element with a capital letter, or `*`.
        aromatic: Whether it is written in lower case.
        hydrogens: The hydrogens written in the brackets.
        charge: The charge.
        bracketed: Whether it is in brackets, so that RDKit adds no hydrogens.
        bonds: The largest sum of orders of its bonds to other atoms, `UNLIMITED` if there is no limit. An aromatic
            bond counts as one.
    """

    symbol: str
    aromatic: bool
    hydrogens: int
    charge: int
    bracketed: bool
    bonds: int


@cache
def plain_atom(symbol: str) -> Atom:
    """Returns an atom without brackets.

    Args:
        symbol: One of `*`, B, C, N, O, P, S, F, Cl, Br, I and the aromatic b, c, n, o, p, s.
    """
    return _atom(symbol, 0, 0, bracketed=False)


@lru_cache(maxsize=1 << 16)
def starts_bracket_atom(content: str) -> bool:
    """Returns whether some atom in brackets begins with `content`, which is what follows the opening bracket.

    Isotopes have up to three digits, charges are -15 … 15, atom maps have up to five digits.
    """
    whole, start = _patterns()
    if whole.fullmatch(content) is None:
        return start.fullmatch(content) is not None
    return any(bracket_atom(content + more) is not None for more in _CHARGES)  # has it too many hydrogens?


@lru_cache(maxsize=1 << 16)
def bracket_atom(content: str) -> Atom | None:
    """Returns the atom whose brackets hold `content`, or None if RDKit reads no atom there."""
    match = _patterns()[0].fullmatch(content)
    if match is None:
        return None
    symbol, hydrogens, charge = match.groups()
    if symbol.startswith("#"):
        symbol = _symbols()[int(symbol[1:]) - 1]
    atom = _atom(symbol, _number(hydrogens), _number(charge), bracketed=True)
    return None if atom.bonds < 0 else atom


@lru_cache(maxsize=1 << 16)
def characters_to_close(content: str) -> int:
    """Returns the number of characters, with the closing bracket, that the atom in brackets needs at least."""
    if bracket_atom(content) is not None:
        return 1
    return 3 if re.search(r"@[TASO]$", content) else 2


def _number(text: str | None) -> int:
    """Returns 2 for `H2`, `++`, `+2`, 1 for `H`, -1 for `-`, 0 for None."""
    if not text:
        return 0
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("H+-")
    return sign * (int(digits) if digits else len(text))


@lru_cache(maxsize=1)
def _symbols() -> tuple[str, ...]:
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    return tuple(table.GetElementSymbol(number) for number in range(1, 119))


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Returns patterns of whole contents (groups: symbol, hydrogens, charge) and of the beginnings of contents."""
    symbols = sorted((*_symbols(), *AROMATIC_SYMBOLS, "*"), key=len, reverse=True)
    either = "|".join(map(re.escape, symbols)) + r"|#(?:11[0-8]|10\d|[1-9]\d?)"
    starts = "|".join({re.escape(symbol[0]) for symbol in symbols})
    isotope, map_number = r"\d{0,3}", r"(?::\d{1,5})?"
    whole = f"{isotope}({either}){_CHIRAL}?{_HYDROGENS}{_CHARGE}{map_number}"
    rest = f"{_CHIRAL_START}|{_CHIRAL}?{_HYDROGENS}{_CHARGE}:?"
    return re.compile(whole), re.compile(f"{isotope}(?:{starts}|#|(?:{either})(?:{rest}))?")


def _atom(written: str, hydrogens: int, charge: int, *, bracketed: bool) -> Atom:
    symbol = written if written == "*" else written.capitalize()
    bonds = most_bonds(symbol, charge) - hydrogens
    return Atom(symbol, written in AROMATIC_SYMBOLS, hydrogens, charge, bracketed, min(bonds, UNLIMITED))


@cache
def most_bonds(symbol: str, charge: int) -> int:
    """Returns the largest valence that RDKit accepts, -1 if it accepts no atom with this charge.

    RDKit itself is asked, with more and more hydrogens, because its rules for charged atoms differ between versions.

    Args:
        symbol: An element or `*`.
        charge: The charge.
    """
    from rdkit import Chem, rdBase

    if symbol == "*":
        return UNLIMITED
    most = -1
    with rdBase.BlockLogs():
        for hydrogens in range(_MOST_BONDS + 1):
            atom = Chem.Atom(symbol)
            atom.SetFormalCharge(charge)
            atom.SetNumExplicitHs(hydrogens)
            atom.SetNoImplicit(True)
            molecule = Chem.RWMol()
            molecule.AddAtom(atom)
            try:
                molecule.UpdatePropertyCache(strict=True)
            except Chem.AtomValenceException:
                continue
            most = hydrogens
    return UNLIMITED if most == _MOST_BONDS else most
