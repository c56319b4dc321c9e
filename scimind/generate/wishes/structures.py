"""Patterns and molecules in quotes: SMARTS and SMILES, refused with RDKit's reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from scimind.config.schema import show
from scimind.generate.wishes.words import fault

_TIME = re.compile(r"^\[[0-9:]+\] *", re.MULTILINE)
_PARSE_ERROR = re.compile(r"^SM\w+ Parse Error: (.*?)(?: while parsing| for input|:|$)")
_POSITION = re.compile(r"around position ([0-9]+)")


def parse_smarts(text: str, start: int) -> Any:
    """Returns RDKit's pattern of a SMARTS, in which hydrogens that are atoms became hydrogen counts of their neighbours.

    Args:
        text: The SMARTS.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: It is empty, RDKit cannot read it, or it spells an aromatic ring with single and double bonds, which
            finds nothing.
    """
    from rdkit import Chem

    pattern = _parse(text, start, "SMARTS", Chem.MolFromSmarts)
    meant = _aromatic_spelling(text, pattern)
    if meant:
        raise fault(
            start,
            f"in the SMARTS {show(text)} an upper-case letter is an atom outside aromatic rings, so it does not find the "
            f"molecule of this SMILES; write {show(meant)}",
        )
    return Chem.MergeQueryHs(pattern)


def parse_molecule(text: str, start: int) -> Any:
    """Returns RDKit's molecule of a SMILES.

    Args:
        text: The SMILES.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: It is empty, or RDKit cannot read it.
    """
    from rdkit import Chem

    return _parse(text, start, "SMILES", Chem.MolFromSmiles)


def _parse(text: str, start: int, notation: str, parse: Callable[[str], Any]) -> Any:
    from rdkit import rdBase

    if not text:
        raise fault(start, f"the {notation} between the quotes is empty; write one")
    for position, character in enumerate(text):
        # RDKit stops reading at a space without an error.
        if not "!" <= character <= "~":
            raise fault(start + position, f"{show(character)} cannot be part of {notation}; remove it")
    with rdBase.BlockLogs():
        parsed = parse(text)
    if parsed is not None:
        return parsed
    reason, position = _reason(text, parse)
    raise fault(start + position, f"RDKit cannot read the {notation} {show(text)} ({reason}); correct it")


def _reason(text: str, parse: Callable[[str], Any]) -> tuple[str, int]:
    """Returns why RDKit cannot read a text, and the index of the character that it names, 0 if it names none."""
    from rdkit import rdBase

    if not hasattr(rdBase, "CaptureErrorLog"):  # older versions only print the reason
        return "it is not valid", 0
    with rdBase.CaptureErrorLog() as log:
        parse(text)
    messages = _TIME.sub("", log.messages)
    first = " ".join(messages.partition("\n")[0].split())
    parse_error, position = _PARSE_ERROR.match(first), _POSITION.search(messages)
    reason = parse_error[1] if parse_error else first
    # RDKit counts from 1, and counts the end as a character.
    return reason or "it is not valid", min(int(position[1]), len(text)) - 1 if position else 0


def _aromatic_spelling(text: str, pattern: Any) -> str:
    """Returns the canonical SMILES of a text that is SMILES too but not the same as SMARTS, since its rings are aromatic.

    Empty if both mean the same, or the text is not SMILES.
    """
    from rdkit import Chem, rdBase

    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False  # so that both have the same atoms
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text, parameters)
    if molecule is None or molecule.GetNumAtoms() != pattern.GetNumAtoms():
        return ""
    atoms = zip(pattern.GetAtoms(), molecule.GetAtoms(), strict=True)
    if all(not atom.GetIsAromatic() or query.Match(atom) for query, atom in atoms):
        return ""
    return str(Chem.MolToSmiles(Chem.RemoveHs(molecule)))
