"""Finds the columns of a task's fields: by the names that the user gives, by known names, or by position."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scimind.errors import DataError, SciMindError

# The name of the id among the fields.
IDENTITY = ""

_ID = ("id", "cid", "sample_id")
_LONGEST_NAME, _MOST_WORDS = 64, 8  # of a column's name; ESOL's table has one of 8 words
_MOST_SHOWN = 30
_NUMBER = re.compile(r"[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?")

# Names that published tables give to columns of a kind (L+M-24, ChEBI-20, MoleculeNet, TDC, ChEMBL, PubChem).
SYNONYMS: dict[str, tuple[str, ...]] = {
    "smiles": (
        *("smiles", "molecule", "mol", "smi", "structure", "canonical_smiles", "isomeric_smiles", "smiles_string"),
        *("drug", "compound_smiles", "molecule_smiles", "ligand_smiles", "mol_smiles", "rdkit_smiles"),
    ),
    "protein": ("sequence", "seq", "protein", "protein_sequence", "aa_sequence", "amino_acid_sequence", "primary"),
    "dna": ("sequence", "seq", "dna", "dna_sequence", "nucleotide_sequence"),
    "rna": ("sequence", "seq", "rna", "rna_sequence", "nucleotide_sequence"),
    "label": ("label", "labels", "y", "target", "class", "activity", "active", "outcome"),
    "text": ("caption", "description", "text"),
}


def normalised(name: str) -> str:
    """Returns a column's name without case, blanks, hyphens and underscores, by which names are compared."""
    return re.sub(r"[\s_\-]+", "", name.strip().lstrip("#").casefold())


@dataclass(frozen=True)
class Columns:
    """The columns in which a task finds its fields.

    Args:
        names: Possible column names of each field, in lower case, preferred names first.
        fallback: The column used for a field if this is the only missing one.
        optional: Fields that may be missing.
        headerless: The fields of a file without a header, in order; empty if the task does not say.
        synonyms: Further names of each field; two columns with such names are ambiguous.
        chosen: The column that the user chose for a field, or for the id under "": a name, or a number from 1.
        fits: For fields whose values can be recognised: whether a text is such a value.
    """

    names: Mapping[str, Sequence[str]]
    fallback: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    headerless: Sequence[str] = ()
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    fits: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)

    @property
    def needed(self) -> list[str]:
        """The fields that must not be missing."""
        return [name for name in self.names if name not in self.optional]

    def find(self, columns: Sequence[str], path: Path, line: int) -> dict[str, int]:
        """Returns the place, from 0, of the column of each field that is present, and that of the id under "".

        Raises:
            DataError: A required field has no column, or several; the message lists the existing columns.
        """
        found = {name: self._place(name, columns, path, line) for name in self.chosen}
        for name, choices in {IDENTITY: _ID, **self.names}.items():
            if name not in found and (places := _preferred(choices, columns)):
                found[name] = _single(places, name, columns, path, line)
        for name in self.names:
            if name not in found and (places := self._alike(name, columns, set(found.values()))):
                found[name] = _single(places, name, columns, path, line)
        missing = [name for name in self.names if name not in found and name not in self.optional]
        if len(missing) == 1 and (places := _preferred([self.fallback.get(missing[0], "")], columns)):
            found[missing.pop()] = places[0]
        if missing:
            choices = " or ".join(self.names[missing[0]])
            reason = f"no column for the {missing[0]}; name a column {choices} ({_there(columns)})"
            raise DataError(f"{reason}, or give --columns {missing[0]}=NAME", path, line)
        return found

    def without_header(self, cells: Sequence[str], is_sure: bool = False) -> list[str] | None:
        """Returns the fields of the columns of a table without a header, judged by a row; None if it is not one.

        Args:
            cells: A row of the table.
            is_sure: Whether the values need not be checked.
        """
        if self.chosen:
            return self._chosen_fields(cells, is_sure)
        order = [*self.headerless, *(name for name in self._by_kind() if name not in self.headerless)]
        fields = order[: len(cells)]
        if len(cells) > len(order) or set(self.needed) - set(fields):
            return None
        is_known = bool(self.headerless) and len(cells) == len(self.headerless)
        checked = [(name, cell) for name, cell in zip(fields, cells, strict=True) if name in self.fits]
        if not is_known and (not checked or any(_NUMBER.fullmatch(cell.strip()) for cell in self._free(fields, cells))):
            return None
        return fields if is_sure or all(self.fits[name](cell.strip()) for name, cell in checked) else None

    def is_header(self, cells: Sequence[str]) -> bool:
        """Returns whether a row names the column of a field, and otherwise has what may be names of columns."""
        known = self._known()
        are_known = [normalised(cell) in known for cell in cells]
        return any(are_known) and all(map(operator.or_, are_known, map(_is_name, cells)))

    def matches(self, cells: Sequence[str]) -> int:
        """Returns how many cells of a row are names of columns of a field."""
        known = self._known()
        return sum(normalised(cell) in known for cell in cells)

    def found(self, cells: Sequence[str]) -> set[str]:
        """Returns the fields whose columns a row names."""
        names = {normalised(cell) for cell in cells}
        return {field for field, choices in self.names.items() if names & {normalised(name) for name in choices}}

    def _known(self) -> set[str]:
        chosen = [name for name in self.chosen.values() if not name.isdecimal()]
        groups = (*self.names.values(), *self.synonyms.values(), self.fallback.values(), chosen)
        return {normalised(name) for group in groups for name in group if name}

    def _by_kind(self) -> list[str]:
        """Returns the fields in the order of a table without a header: recognisable ones first."""
        return sorted(self.names, key=lambda name: name not in self.fits or name in self.optional)

    def _place(self, name: str, columns: Sequence[str], path: Path, line: int) -> int:
        """Returns the place of the column that the user chose for a field."""
        wanted = self.chosen[name]
        same = [place for place, column in enumerate(columns) if column.strip() == wanted]
        same = same or [place for place, column in enumerate(columns) if normalised(column) == normalised(wanted)]
        if not same and wanted.isdecimal() and 1 <= int(wanted) <= len(columns):
            return int(wanted) - 1
        if not same:
            raise DataError(f"no column {wanted!r} for the {name or 'id'} ({_there(columns)})", path, line)
        return _single(same, name, columns, path, line)

    def _free(self, fields: Sequence[str], cells: Sequence[str]) -> list[str]:
        """Returns the cells of fields that may hold any text."""
        return [cell for name, cell in zip(fields, cells, strict=True) if name not in self.fits]

    def _chosen_fields(self, cells: Sequence[str], is_sure: bool) -> list[str] | None:
        """Returns the fields of the columns if the user chose all columns by number."""
        places = {name: int(text) - 1 for name, text in self.chosen.items() if text.isdecimal()}
        if len(places) < len(self.chosen) or set(self.needed) - set(places):
            return None
        if any(not 0 <= place < len(cells) for place in places.values()):
            return None
        checked = [(name, cells[place].strip()) for name, place in places.items() if name in self.fits]
        if not is_sure and not all(self.fits[name](cell) for name, cell in checked):
            return None
        fields = [f"column {number}" for number in range(1, len(cells) + 1)]
        for name, place in places.items():
            fields[place] = name
        return fields

    def _alike(self, name: str, columns: Sequence[str], taken: set[int]) -> list[int]:
        known = {normalised(other) for other in self.synonyms.get(name, ())}
        return [place for place, column in enumerate(columns) if normalised(column) in known and place not in taken]


def parse_columns(texts: Iterable[str]) -> dict[str, str]:
    """Returns the column of each field that `--columns FIELD=COLUMN,FIELD=COLUMN` chooses.

    Raises:
        SciMindError: A text has another form, or a field appears twice.
    """
    chosen: dict[str, str] = {}
    for text in texts:
        for part in re.split(r",(?=\s*\w[\w ]*=)", text):
            name, sign, column = (piece.strip() for piece in part.partition("="))
            if not (name and sign and column):
                raise SciMindError(f"--columns ({part}) must have the form FIELD=COLUMN, such as molecule=smiles")
            if name in chosen:
                raise SciMindError(f"--columns gives two columns for {name}; give one")
            chosen[name] = column
    return chosen


def checked_choice(chosen: Mapping[str, str], fields: Sequence[str], what: str) -> dict[str, str]:
    """Returns the chosen columns by field, with that of the id under "".

    Args:
        chosen: The column of each field.
        fields: The fields that exist.
        what: What has these fields, for the message.

    Raises:
        SciMindError: The field does not exist.
    """
    for name in chosen:
        if name not in (*fields, "id"):
            raise SciMindError(f"--columns: {what} has no field {name}; the fields are {', '.join((*fields, 'id'))}")
    return {IDENTITY if name == "id" else name: str(column) for name, column in chosen.items()}


def _preferred(choices: Iterable[str], columns: Sequence[str]) -> list[int]:
    """Returns the places of the columns that have the first of these names that any column has."""
    for choice in choices:
        exact = [place for place, column in enumerate(columns) if column.strip().casefold() == choice.casefold()]
        same = exact or [place for place, column in enumerate(columns) if normalised(column) == normalised(choice)]
        if choice and same:
            return same
    return []


def _single(places: Sequence[int], name: str, columns: Sequence[str], path: Path, line: int) -> int:
    if len(places) > 1:
        several = _listed([columns[place] for place in places])
        hint = columns[places[0]] if len({columns[place] for place in places}) > 1 else str(places[0] + 1)
        reason = f"several columns may be the {name or 'id'} ({several}); choose one: --columns {name or 'id'}={hint}"
        raise DataError(reason, path, line)
    return places[0]


def _there(columns: Sequence[str]) -> str:
    return f"the columns are {_listed(columns)}"


def _listed(columns: Sequence[str]) -> str:
    shown = [repr(name[:_LONGEST_NAME]) for name in columns[:_MOST_SHOWN]]
    return ", ".join(shown) + (", …" if len(columns) > _MOST_SHOWN else "")


def _is_name(cell: str) -> bool:
    text = cell.strip()
    return len(text) <= _LONGEST_NAME and len(text.split()) <= _MOST_WORDS and text[-1:] not in (".", "?", "!")
