"""What a molecule's field holds besides plain SMILES: names after it, other notations, reactions, dative bonds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scimind.data.content.molecules import canonical_smiles, parse, random_smiles, without_maps
from scimind.data.defects import (
    CONVERTED,
    EMPTY,
    LETTER,
    RESPELLED,
    STRIPPED,
    UNPARSABLE,
    Change,
    RecordError,
    check_size,
)
from scimind.tokenizer.tags import without_tag

_ARROW = "<-"  # a dative bond towards the atom before it; `->` has a token, this has not
_REACTION_ARROW = re.compile(r"(?<!-)>")
_MAPPED_ATOM = re.compile(r"\[[^\]]*:\d+\]")
_CAS = re.compile(r"\d{2,7}-\d\d-\d")
_INCHI, _INCHI_KEY = "InChI=", re.compile(r"[A-Z]{14}-[A-Z]{10}-[A-Z]")
_R_GROUP = re.compile(r"\[R\d*'*\]|R\d+")
_BRACKET_ATOM = re.compile(r"\[[^\]]*\]")
_ATOM = re.compile(r"\[[^\]]*\]|Cl|Br|.")
# A lower-case letter outside brackets that is neither an aromatic atom nor part of Cl and Br is not SMILES.
_WORD = re.compile(r"(?<!C)l|(?<!B)r|[adefghijkmqtuvwxyz]")
_SPELLINGS = 32  # random spellings that are searched for one without `<-`
_CLOSURES = range(99, 89, -1)  # ring numbers for bonds that are written from their other end

REACTION_PARTS = ("reactants", "agents", "products", "reactants.agents", "reactants>>products")
"""The parts of a reaction that a field may take, see `reaction_part`."""


def bare_smiles(raw: str) -> tuple[str, tuple[Change, ...]]:
    """Returns the SMILES in the text of a field, and the changes that were made to the text.

    A tag around it and what follows its first white space (a name, the extensions of CXSMILES) are left out, and an
    InChI is converted.

    Raises:
        RecordError: Two molecules are separated by white space, or the text is in another notation.
    """
    text = without_tag(raw.strip(), "smiles").strip()
    if text.startswith(_INCHI):
        return _from_inchi(text.split()[0])
    if not text:
        raise RecordError(EMPTY, "the SMILES is empty; fill it in or remove the record", text=raw)
    word, *rest = text.split(None, 1)
    word = without_tag(word, "smiles")
    if what := _notation(word):
        raise RecordError(UNPARSABLE, f"not a SMILES but {what}", text=raw)
    if not rest:
        return word, ()
    if _parses(rest[0]) or (not _parses(word) and not is_reaction(word)):
        reason = "white space within the molecule, or between two; remove it, or join several molecules by '.'"
        raise RecordError(UNPARSABLE, reason, text=raw)
    return word, (Change(STRIPPED, f"{rest[0]!r} after the molecule was left out", raw),)


def is_reaction(text: str) -> bool:
    """Returns whether a text has an arrow of reactions, which is a `>` that is not part of a dative bond."""
    return _REACTION_ARROW.search(text) is not None


def reaction_parts(text: str) -> list[str]:
    """Returns the reactants, agents and products of a reaction SMILES, each of which may be empty.

    Raises:
        RecordError: The text is not a reaction.
    """
    parts = _REACTION_ARROW.split(text)
    if len(parts) != 3 or not any(parts):
        reason = "not a reaction; write it as reactants>agents>products or reactants>>products, in SMILES"
        raise RecordError(UNPARSABLE, reason, text=text)
    return parts


def reaction_part(text: str, part: str) -> str:
    """Returns a part of a reaction without agents in other places; a text that is not a reaction is returned unchanged.

    Args:
        text: A reaction in SMILES, or molecules.
        part: One of `REACTION_PARTS`.

    Raises:
        RecordError: The text has another number of arrows, or the part is empty.
    """
    if not is_reaction(text):
        return text
    reactants, agents, products = reaction_parts(text)
    parts = {
        "reactants": reactants,
        "agents": agents,
        "products": products,
        "reactants.agents": ".".join(filter(None, (reactants, agents))),
        "reactants>>products": f"{reactants}>>{products}" if reactants and products else "",
    }
    if not parts[part]:
        reason = f"the reaction has no {part.replace('.', ' and ')}; add them, or remove the record"
        raise RecordError(EMPTY, reason, text=text)
    return parts[part]


def without_map_numbers(text: str) -> str:
    """Returns molecules, or a reaction, without the numbers of mapped atoms; unchanged if there are none.

    The result is RDKit's canonical SMILES, since the order of the atoms may say as much as their numbers.

    Raises:
        RecordError: RDKit cannot parse a SMILES with such numbers.
    """
    if _MAPPED_ATOM.search(text) is None:
        return text
    parts = _REACTION_ARROW.split(text)
    return ">".join(canonical_smiles(without_maps(parse(part))) if part else "" for part in parts)


def with_tokens(smiles: str) -> tuple[str, tuple[Change, ...]]:
    """Returns a SMILES without `<-`, which has no token, and the change if there was one.

    The same molecule is written with `->`: in RDKit's spelling, in a random one, or with the bond written from its
    donor, `[Pt]%99.N->%99` for `[Pt]<-N`. The choice only depends on the SMILES.

    Raises:
        RecordError: No such spelling exists, or RDKit cannot parse the SMILES.
    """
    if _ARROW not in smiles:
        return smiles, ()
    molecule = parse(smiles)
    canonical = canonical_smiles(molecule)
    drawn = (canonical, *random_smiles(molecule, _SPELLINGS, 1))
    for spelling in (*drawn, *map(_from_donors, (smiles, *drawn))):
        if _ARROW not in spelling and _parses(spelling) and canonical_smiles(parse(spelling)) == canonical:
            reason = f"written as {spelling}, since the dative bond <- has no token"
            return spelling, (Change(RESPELLED, reason, smiles),)
    reason = "the dative bond <- has no token, and no spelling without it was found; write the bond as donor->acceptor"
    raise RecordError(LETTER, reason, text=smiles)


def _notation(text: str) -> str:
    """Returns which notation other than SMILES a text is in, and what to do; empty if none is recognised."""
    if _CAS.fullmatch(text):
        return "what looks like a CAS number; look up its SMILES"
    if _INCHI_KEY.fullmatch(text):
        return "an InChIKey, from which no molecule can be computed; look up its SMILES"
    if text.startswith("{") and text.endswith("}"):
        return "BigSMILES; write a repeat unit in SMILES, with * at its ends"
    if _R_GROUP.search(text):
        return "a structure with an R group; write each as * or [*:1]"
    outside = _BRACKET_ATOM.sub("", text)
    if len(outside) > 2 and outside.isascii() and _WORD.search(outside) and not set(text) & set("{}|<>?"):
        return "what looks like a name; look up its SMILES"
    return ""


def _from_inchi(text: str) -> tuple[str, tuple[Change, ...]]:
    from rdkit import Chem, rdBase

    check_size(len(text), text)
    with rdBase.BlockLogs():
        molecule = Chem.MolFromInchi(text)
    if molecule is None:
        raise RecordError(UNPARSABLE, "this is an InChI that RDKit cannot read; correct it, or give SMILES", text=text)
    smiles = canonical_smiles(molecule)
    return smiles, (Change(CONVERTED, f"the InChI was converted to {smiles}", text),)


def _parses(smiles: str) -> bool:
    try:
        parse(smiles)
    except RecordError:
        return False
    return True


def _from_donors(smiles: str) -> str:
    """Returns a SMILES in which each bond `<-` is written as a ring bond from its donor; unchanged where it cannot be.

    The result may be another molecule if an atom with several branches is chiral, and must be compared.
    """
    numbers: Iterator[int] = (number for number in _CLOSURES if f"%{number}" not in smiles)
    while (start := smiles.find(_ARROW)) >= 0 and (number := next(numbers, None)) is not None:
        stop = _end_of_branch(smiles, start)
        donor = smiles[start + len(_ARROW) : stop]
        atom = _ATOM.match(donor)
        if atom is None or atom[0] in "0123456789%":  # a separate ring bond
            break
        if smiles[start - 1] == "(":
            start, stop = start - 1, stop + 1
        acceptor = _end_of_atom(smiles, start)
        smiles = (
            f"{smiles[:acceptor]}%{number}{smiles[acceptor:start]}{smiles[stop:]}"
            f".{atom[0]}->%{number}{donor[atom.end() :]}"
        )
    return smiles


def _end_of_branch(smiles: str, start: int) -> int:
    """Returns where the branch, or the fragment, that contains a position ends."""
    depth = 0
    for place in range(start, len(smiles)):
        depth += (smiles[place] == "(") - (smiles[place] == ")")
        if depth < 0 or (depth == 0 and smiles[place] == "."):
            return place
    return len(smiles)


def _end_of_atom(smiles: str, stop: int) -> int:
    """Returns where the atom ends, with its ring numbers, whose branches end at a position."""
    while smiles[stop - 1] == ")":
        depth = 0
        while True:
            stop -= 1
            depth += (smiles[stop] == ")") - (smiles[stop] == "(")
            if depth == 0:
                break
    return stop
