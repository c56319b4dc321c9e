"""How far the reading of a SMILES has come: its open branches, rings and brackets, and the bonds still free.

It follows RDKit's grammar, not OpenSMILES: `C(C)1CC1` and `C=1CC1` are read, `C.` and `(C)` are not. Rings must be
closed within a fragment: `C1CF.C1`, which RDKit reads as CCCF, is refused as soon as F is added.
"""

from __future__ import annotations

from typing import NamedTuple

from scimind.generate.validity.aromaticity import double_bond, finished_system, has_alternation, may_be_in_ring
from scimind.generate.validity.bracket_atoms import (
    Atom,
    bracket_atom,
    characters_to_close,
    plain_atom,
    starts_bracket_atom,
)

ORDERS = {"": 1, "-": 1, "/": 1, "\\": 1, ":": 1, "=": 2, "#": 3, "$": 4, "~": 0, ">": 0}
_PLAIN = frozenset("*BCNOPSFIbcnops")
_BONDS = frozenset("-=#$:/\\~")
_DIRECTIONS = frozenset("/\\")
_COMPLETE = frozenset(("atom", "ring", "close"))  # what a SMILES may end with
_TWO_LETTERS = {("C", "l"): "Cl", ("B", "r"): "Br"}


class OpenRing(NamedTuple):
    """A ring that is not closed: the atom that opened it, the bond written there, and the label as written."""

    atom: int
    bond: str
    label: str


class MoleculeState:
    """A place in a SMILES. `read` changes it; `copy` first to keep the old place.

    Attributes:
        text: What was read.
        last: What it ends with: "start", "atom", "bond", "open", "close", "ring", "dot", "bracket" or "label", the
            last two unfinished.
        branches: The atoms before each open branch.
        rings: The open rings by number.
        content: The unfinished bracket atom without its opening bracket, or the unfinished ring label.
    """

    __slots__ = (
        "text", "last", "branches", "rings", "content", "_count", "_current", "_bond", "_after_open", "_atoms",
        "_orders", "_doubled", "_bonded", "_aromatic",
    )  # fmt: skip

    def __init__(self) -> None:
        self.text, self.last, self.content = "", "start", ""
        self.branches: tuple[int, ...] = ()
        self.rings: dict[int, OpenRing] = {}
        self._count, self._current, self._bond, self._after_open = 0, -1, "", False
        self._bonded: dict[int, tuple[int, ...]] = {}  # the neighbours of every atom
        # Of atoms that can get further bonds or belong to an unfinished aromatic system:
        self._atoms: dict[int, Atom] = {}
        self._orders: dict[int, int] = {}  # sum of bond orders, those of open rings included
        self._aromatic: dict[int, tuple[int, ...]] = {}  # neighbours by bonds that may be aromatic
        self._doubled: frozenset[int] = frozenset()  # aromatic atoms with a double bond that is written

    def copy(self) -> MoleculeState:
        """Returns the same place, independent of this one."""
        other = MoleculeState.__new__(MoleculeState)
        other.text, other.last, other.content = self.text, self.last, self.content
        other.branches, other.rings = self.branches, self.rings.copy()
        other._count, other._current, other._bond = self._count, self._current, self._bond
        other._after_open, other._doubled = self._after_open, self._doubled
        other._atoms, other._orders = self._atoms.copy(), self._orders.copy()
        other._bonded, other._aromatic = self._bonded.copy(), self._aromatic.copy()
        return other

    @property
    def is_complete(self) -> bool:
        """Whether nothing is open, so that the text may be a whole SMILES."""
        return self.last in _COMPLETE and not self.branches and not self.rings and not self._lacking()

    def read(self, character: str) -> bool:
        """Reads one more character.

        Returns:
            Whether a SMILES may begin with it; if not, the state must not be used any more.
        """
        accepted = self._read(character)
        self.text += character
        return accepted and (not self.rings or self.last not in _COMPLETE or self._can_close_rings())

    def shortest_end(self) -> int:
        """Returns a lower bound of the number of characters to a complete SMILES."""
        number, atom_open = 0, False
        if self.last == "bracket":
            number, atom_open = characters_to_close(self.content), True
        elif self.last == "label":
            number = self._characters_to_label()
        elif self.last not in _COMPLETE:  # a bond may also be that of a ring
            number, atom_open = int(self.last != "bond" or self._after_open or not self.rings), True
        labels = sum(len(ring.label) for ring in self.rings.values())
        number += len(self.branches) + max(labels, self._lacking())
        if self.rings and not self.branches and not atom_open and self.last != "label":
            number += min(map(self._atoms_before, self.rings.values()))
        return number

    def _can_close_rings(self) -> bool:
        """Whether some atom can still get a bond, so that the open rings do not need another fragment to be closed."""
        return any(self._has_room(atom, 1) for atom in (self._current, *self.branches))

    def _characters_to_label(self) -> int:
        """Returns how many characters an unfinished ring label needs beyond the labels of the open rings.

        If it may close one of them, its first characters are already there. If not, a new ring must be closed, too.
        """
        if any(ring.label.startswith(self.content) for ring in self.rings.values()):
            return -len(self.content)
        finished = max(3, len(self.content) + 1)
        return finished - len(self.content) + finished

    def _atoms_before(self, ring: OpenRing) -> int:
        """Returns how many atoms must come before a ring can be closed: there are no rings of one or two atoms."""
        if ring.atom == self._current:
            return 2
        return 1 if ring.atom in self._bonded[self._current] else 0

    def _read(self, character: str) -> bool:
        if self.last == "bracket":
            return self._read_bracket(character)
        if self.last == "label":
            return self._read_label(character)
        if character in _PLAIN:
            return self._add(plain_atom(character))
        if character == "[":
            self.last, self.content = "bracket", ""
            return self._current < 0 or self._has_room(self._current, ORDERS[self._bond])
        if character in "lr":
            return self._read_second_letter(character)
        if character == ">":
            return self._read_arrow()
        if self.last == "bond":
            return self._read_after_bond(character)
        if character in _BONDS and (self.last in _COMPLETE or self.last == "open"):
            self._after_open, self.last, self._bond = self.last == "open", "bond", character
            return self._has_room(self._current, ORDERS[character])
        if self.last not in _COMPLETE:
            return False
        if character.isdigit() and character.isascii():
            return self._ring(int(character), character)
        return self._read_structure(character)

    def _read_structure(self, character: str) -> bool:
        """Reads a character that is neither an atom, a bond nor a digit, after something complete."""
        if character == "%":
            self.last, self.content = "label", character
            return True
        if character == "(":
            self.last, self.branches = "open", (*self.branches, self._current)
            return self._has_room(self._current, 1)
        if character == ")" and self.branches:
            self.last, left = "close", self._current
            self._current, self.branches = self.branches[-1], self.branches[:-1]
            return self._leave(left)
        if character == "." and not self.rings:
            self.last, left, self._current = "dot", self._current, -1
            return self._leave(left)
        return False

    def _read_after_bond(self, character: str) -> bool:
        if character == "\\" == self.text[-1]:  # RDKit reads a doubled backslash as one
            return self.text[-2:] != "\\\\"
        if self._after_open:
            return False
        if character == "%":
            self.last, self.content = "label", character
            return True
        return character.isdigit() and character.isascii() and self._ring(int(character), character)

    def _read_arrow(self) -> bool:
        if self.last != "bond" or self._bond != "-":
            return False
        self._bond = ">"
        return True

    def _read_bracket(self, character: str) -> bool:
        if character != "]":
            self.content += character
            return starts_bracket_atom(self.content)
        atom = bracket_atom(self.content)
        return atom is not None and self._add(atom)

    def _read_label(self, character: str) -> bool:
        """Reads on in a ring label: %12 or %(123)."""
        label = self.content = self.content + character
        if label == "%(":
            return True
        if label[1] == "(":
            if character == ")" and len(label) > 3:
                return self._ring(int(label[2:-1]), label)
            return character.isdigit() and character.isascii() and len(label) <= 7
        if not (character.isdigit() and character.isascii()) or label[1] == "0":
            return False
        return len(label) < 3 or self._ring(int(label[1:]), label)

    def _read_second_letter(self, character: str) -> bool:
        symbol = _TWO_LETTERS.get((self.text[-1:], character)) if self.last == "atom" else None
        if symbol is None:
            return False
        self._atoms[self._current] = plain_atom(symbol)
        return self._has_room(self._current, 0)

    def _add(self, atom: Atom) -> bool:
        """Adds an atom, bonded to the current one."""
        number, previous, order = self._count, self._current, ORDERS[self._bond]
        self._atoms[number], self._orders[number], self._bonded[number] = atom, 0, ()
        if atom.aromatic or atom.symbol == "*":
            self._aromatic[number] = ()
        self._count, self._current, self.last = number + 1, number, "atom"
        if previous < 0:
            return True
        written, self._bond = self._bond, ""
        return self._join(previous, number, order, written) and self._leave(previous)

    def _join(self, first: int, second: int, order: int, written: str) -> bool:
        self._bonded[first] += (second,)
        self._bonded[second] += (first,)
        if written in ("", ":") and first in self._aromatic and second in self._aromatic:
            self._aromatic[first] += (second,)
            self._aromatic[second] += (first,)
        return self._use(first, order, written) and self._use(second, order, written)

    def _use(self, number: int, order: int, written: str) -> bool:
        """Uses up some of an atom's valence."""
        if not self._has_room(number, order):
            return False
        self._orders[number] += order
        if order > 1 and self._atoms[number].aromatic and written:
            self._doubled |= {number}
        return True

    def _has_room(self, number: int, order: int) -> bool:
        return self._orders[number] + order <= self._atoms[number].bonds

    def _ring(self, number: int, label: str) -> bool:
        """Opens or closes a ring at the current atom."""
        bond, self._bond, self.last, self.content = self._bond, "", "ring", ""
        opened = self.rings.pop(number, None)
        if opened is None:
            self.rings[number] = OpenRing(self._current, bond, label)
            return self._use(self._current, ORDERS[bond], bond)
        if opened.atom == self._current or opened.atom in self._bonded[self._current]:
            return False
        self._orders[opened.atom] -= ORDERS[opened.bond]
        written = opened.bond or ("" if bond in _DIRECTIONS else bond)  # RDKit takes the first of two that differ
        return self._join(opened.atom, self._current, ORDERS[written], written) and self._leave(opened.atom)

    def _leave(self, number: int) -> bool:
        """Judges an atom that may have got its last bond, and its aromatic system; forgets what is finished."""
        open_atoms = {self._current, *self.branches, *(ring.atom for ring in self.rings.values())}
        if number in open_atoms:
            return True
        atom = self._atoms[number]
        if atom.aromatic and not may_be_in_ring(number, self._bonded, open_atoms):
            return False
        if number in self._aromatic:
            return self._judge_system(number, open_atoms)
        del self._atoms[number], self._orders[number]
        return True

    def _lacking(self) -> int:
        """Returns how many bonds are missing for every aromatic atom to be in a ring."""
        lacking = 0
        for number in self._aromatic:
            if self._atoms[number].aromatic and (bonds := len(self._bonded[number])) < 2:
                bonds += sum(ring.atom == number for ring in self.rings.values())
                lacking += max(0, 2 - bonds)
        return lacking

    def _judge_system(self, number: int, open_atoms: set[int]) -> bool:
        """Returns False if a finished aromatic system has no alternating double bonds; forgets it if it has."""
        system = finished_system(number, self._aromatic, open_atoms)
        if system is None:
            return True
        if len(system) > 1:  # RDKit takes a lone aromatic atom for an aliphatic one
            roles = {one: double_bond(self._atoms[one], self._orders[one], one in self._doubled) for one in system}
            if not has_alternation(roles, self._aromatic):
                return False
        for one in system:
            del self._atoms[one], self._orders[one], self._aromatic[one]
        return True
