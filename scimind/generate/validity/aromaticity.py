"""Whether a finished system of aromatic atoms can have alternating double bonds.

The check is generous: it refuses only where RDKit certainly does. RDKit reads the whole answer anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from scimind.generate.validity.bracket_atoms import Atom

NEEDED, POSSIBLE, IMPOSSIBLE = "needed", "possible", "impossible"
_MOST_TRIALS = 2000


def may_be_in_ring(number: int, bonded: Mapping[int, Sequence[int]], open_atoms: Set[int]) -> bool:
    """Returns whether an atom is in a ring, or will be if the open atoms are joined.

    It is, if two of its neighbours are connected without it, or if each of two is connected to some open atom.

    Args:
        number: The atom.
        bonded: The neighbours of every atom.
        open_atoms: The atoms that can get further bonds, without this one.
    """
    seen, ways_out = {number}, 0
    for neighbour in bonded[number]:
        if neighbour in seen:  # reached from another neighbour
            return True
        seen.add(neighbour)
        waiting, is_open = [neighbour], False
        while waiting:
            place = waiting.pop()
            is_open = is_open or place in open_atoms
            for other in bonded[place]:
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        ways_out += is_open
    return ways_out > 1


def finished_system(number: int, bonded: Mapping[int, Sequence[int]], open_atoms: Set[int]) -> set[int] | None:
    """Returns the aromatic system of an atom, None if one of its atoms can get further bonds.

    Args:
        number: The atom.
        bonded: The neighbours of every aromatic atom by bonds that may be aromatic.
        open_atoms: The atoms that can get further bonds, without this one.
    """
    system, waiting = {number}, [number]
    while waiting:
        for other in bonded[waiting.pop()]:
            if other in open_atoms:
                return None
            if other not in system:
                system.add(other)
                waiting.append(other)
    return system


def double_bond(atom: Atom, order: int, doubled: bool) -> str:
    """Returns whether an aromatic atom takes part in one of the alternating double bonds.

    Args:
        atom: The atom.
        order: The sum of the orders of its bonds, an aromatic one counting as one, without hydrogens.
        doubled: Whether one of its bonds is written as a double bond.
    """
    if doubled:
        return IMPOSSIBLE if atom.symbol == "C" and not atom.charge else POSSIBLE
    total = order + atom.hydrogens
    if atom.charge == 0 and (not atom.bracketed or atom.hydrogens):
        if atom.symbol == "C":
            return NEEDED if total <= 3 else IMPOSSIBLE
        if atom.symbol == "N":
            return NEEDED if total == 2 else IMPOSSIBLE
        if atom.symbol in ("O", "S") and total == 2:
            return IMPOSSIBLE
    return POSSIBLE


def has_alternation(roles: Mapping[int, str], neighbours: Mapping[int, Sequence[int]]) -> bool:
    """Returns whether every atom that needs a double bond can have one, each atom at most one.

    Args:
        roles: `double_bond` of each atom of the system.
        neighbours: The atoms of the system that each of them may have a double bond with.
    """
    options = {
        atom: {other for other in neighbours[atom] if roles[other] != IMPOSSIBLE}
        for atom, role in roles.items()
        if role != IMPOSSIBLE
    }
    needed = {atom for atom, role in roles.items() if role == NEEDED}
    return _match(needed, options, [_MOST_TRIALS])


def _match(needed: set[int], options: Mapping[int, set[int]], trials: list[int]) -> bool:
    """Returns whether all of `needed` can be paired; True also if that takes more trials than are left."""
    taken: set[int] = set()

    def pair() -> bool:
        left = needed - taken
        if not left or trials[0] <= 0:
            return True
        trials[0] -= 1
        atom = min(left, key=lambda one: (len(options[one] - taken), one))
        for other in sorted(options[atom] - taken):
            taken.update((atom, other))
            if pair():
                return True
            taken.difference_update((atom, other))
        return False

    return pair()
