"""Checks whether a description is true of its molecule, independently of how the description was made.

The text is parsed into statements, and each is derived anew from the structure: groups by walking from atom to
neighbour instead of SMARTS, ring systems by cutting them out and comparing canonical SMILES, counts by counting.
Nothing is shared with `describe.py` or `vocabulary.py`.
"""

from __future__ import annotations

import re
from collections import Counter

from rdkit import Chem

from sample.check_counts import COUNTERS
from sample.check_groups import is_kind, near, number_of
from sample.check_rings import ring_names

_COUNT = {"a": 1, "an": 1, "no": 0}
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNT |= {word: number for number, word in enumerate(_WORDS)}

_TEXT = re.compile(
    r"The molecule is an? (?P<charge>cationic |anionic |zwitterionic )?(?P<kind>.+?)"
    r"(?: (?:that contains|with|built on) (?P<rings>[^.]+? rings?))?"
    r"(?:(?: and| that)? (?:that carries|carries|with|bears|substituted by) (?P<groups>[^.]+?))?"
    r"\. (?:It has|There are) (?P<counts>[^.]+)\."
)
_KINDS_END = re.compile(r" (?:that|with|built|substituted|carries|bears|and)\b")


def faults(smiles: str, text: str) -> list[str]:
    """Returns what is wrong with the description of a molecule; an empty list if all of it is true.

    Args:
        smiles: The molecule.
        text: Its description.
    """
    mol = Chem.MolFromSmiles(smiles)
    parsed = _TEXT.fullmatch(text)
    if parsed is None or _KINDS_END.search(parsed["kind"]):
        return [f"not a sentence that this check can parse: {text}"]
    wrong = []
    if (parsed["charge"] or "").strip() != _charge(mol):
        wrong.append(f"charge is {_charge(mol) or 'none'}")
    if not is_kind(mol, parsed["kind"]):
        wrong.append(f"does not belong to the class {parsed['kind']}")
    rings = Counter({name.removesuffix("s").removesuffix(" ring"): n for n, name in _items(parsed["rings"])})
    if rings != ring_names(mol):
        wrong.append(f"rings are {dict(ring_names(mol))}")
    for count, name in _items(parsed["groups"]):
        found = number_of(mol, name if count == 1 else name.removesuffix("s"))
        if count != found:
            wrong.append(f"{name}: {found}, not {count}")
    for count, name in _items(parsed["counts"]):
        found = COUNTERS[name if count == 1 else name.removesuffix("s")](mol)
        if count != found:
            wrong.append(f"{name}: {found}, not {count}")
    return wrong


def _items(listing: str | None) -> list[tuple[int, str]]:
    """Returns "a fluoro group, two methoxy groups and …" as counts and names."""
    items = re.split(r", (?!\d)| and ", listing) if listing else []
    words = [item.split(" ", 1) for item in items]
    return [(_COUNT[count] if count in _COUNT else int(count), name) for count, name in words]


def _charge(mol: Chem.Mol) -> str:
    net = sum(atom.GetFormalCharge() for atom in mol.GetAtoms())
    if net:
        return "cationic" if net > 0 else "anionic"
    plus = [atom for atom in mol.GetAtoms() if atom.GetFormalCharge() > 0]
    return "zwitterionic" if any(not near(atom, "O", charge=-1) for atom in plus) else ""
