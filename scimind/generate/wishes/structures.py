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
    """Returns RDKit's pattern of a SMARTS, with hydrogen atoms turned into hydrogen counts of their neighbours.

    Args:
        text: The SMARTS.
        start: Index of its first character in the conditions.

    Raises:
        ConfigError: It is empty, RDKit cannot read it, or it is SMILES of a molecule in which it finds nothing, such as
            benzene with single and double bonds.
    """
    from rdkit import Chem, rdBase

    pattern = _parse(text, start, "SMARTS", Chem.MolFromSmarts)
    with rdBase.BlockLogs():
        spelling = _spelling_of_other_molecule(text, pattern)
        if spelling:
            remedy = f"write {show(spelling)}" if spelling != text else "write SMARTS"
            raise fault(
                start,
                f"the SMARTS {show(text)} does not find the molecule of the same SMILES, since in SMARTS lower-case "
                f"letters are aromatic atoms and upper-case letters are not; {remedy}",
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
    with rdBase.BlockLogs(), rdBase.CaptureErrorLog() as log:
        parse(text)
    messages = _TIME.sub("", log.messages)
    first = " ".join(messages.partition("\n")[0].split())
    parse_error, position = _PARSE_ERROR.match(first), _POSITION.search(messages)
    reason = parse_error[1] if parse_error else first
    # RDKit counts from 1, and counts the end as a character.
    return reason or "it is not valid", min(int(position[1]), len(text)) - 1 if position else 0


def _spelling_of_other_molecule(text: str, pattern: Any) -> str:
    """Returns the canonical SMILES of a text if it is SMILES too, but of a molecule that the pattern does not match.

    Empty if it is not SMILES, or means the same as SMARTS.
    """
    from rdkit import Chem

    parameters: Any = Chem.SmilesParserParams()
    parameters.removeHs = False  # so that both have the same atoms, in the same order
    molecule = Chem.MolFromSmiles(text, parameters)
    if molecule is None or molecule.GetNumAtoms() != pattern.GetNumAtoms():
        return ""
    atoms = zip(pattern.GetAtoms(), molecule.GetAtoms(), strict=True)
    return "" if all(query.Match(atom) for query, atom in atoms) else str(Chem.MolToSmiles(Chem.RemoveHs(molecule)))
