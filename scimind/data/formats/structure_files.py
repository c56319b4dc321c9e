"""Reads molecules from MOL files and SDF, by RDKit, as SMILES with the title and the properties of each record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scimind.data.defects import ENCODING, LONG_LINE, MOST_ATOMS, UNPARSABLE, RecordError
from scimind.data.formats.sequence_files import IDENTITY, Values
from scimind.data.formats.text_files import LONGEST_LINE, broken_byte

STRUCTURE = "structure"
_END = "$$$$"


def structure_records(path: Path, lines: Iterator[str]) -> Iterator[Values]:
    """Yields the molecules of an SDF or MOL file, V2000 or V3000, with the lines where their records begin.

    The values are the `structure` as a canonical SMILES, the title as `id` unless it is empty, and all properties.

    Args:
        path: The file, for errors.
        lines: Its lines, of which no more than `LONGEST_LINE` + 1 characters are read.
    """
    begin, size = 1, 0
    parts: list[str] = []
    for number, text in enumerate(lines, start=1):
        if text.startswith(_END):
            yield _record(path, begin, parts, size)
            begin, size, parts = number + 1, 0, []
            continue
        size += len(text) + 1
        if size > LONGEST_LINE:
            parts = parts[:1]  # reported, and not kept in memory
        else:
            parts.append(text)
    if any(part.strip() for part in parts):
        yield _record(path, begin, parts, size)


def _record(path: Path, begin: int, parts: list[str], size: int) -> Values:
    from rdkit import Chem, rdBase

    title = parts[0].strip() if parts else ""
    broken = next((wrong for part in parts if (wrong := broken_byte(part))), "")
    if broken:
        return RecordError(ENCODING, broken, path, begin)
    if size > LONGEST_LINE:
        reason = f"the record has more than {LONGEST_LINE:,} characters; split it"
        return RecordError(LONG_LINE, reason, path, begin, title)
    with rdBase.BlockLogs():
        supplier = Chem.SDMolSupplier()
        supplier.SetData("\n".join([*parts, _END, ""]))
        molecule = next(iter(supplier), None)
    if molecule is None or not molecule.GetNumAtoms():
        reason = "RDKit cannot read the structure of this record; correct it or remove the record"
        return RecordError(UNPARSABLE, reason, path, begin, title)
    if molecule.GetNumAtoms() > MOST_ATOMS:
        reason = f"the molecule has {molecule.GetNumAtoms():,} atoms, too many for RDKit (at most {MOST_ATOMS:,})"
        return RecordError(UNPARSABLE, f"{reason}; remove the record", path, begin, title)
    properties = {str(name): molecule.GetProp(name) for name in molecule.GetPropNames()}
    named = {IDENTITY: title} if title else {}
    return begin, {STRUCTURE: str(Chem.MolToSmiles(molecule)), **named, **properties}
