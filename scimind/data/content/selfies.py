"""SELFIES: recognised in columns and texts, and decoded to SMILES by the package `selfies`.

SELFIES and SMILES share some strings: `[C][C][O]` is ethanol in SELFIES, and three bare atoms without hydrogens in
SMILES. A text is SELFIES if it consists of symbols in brackets, with dots between molecules and the arrows of a
reaction, and
- one of them is not an atom of SMILES: a branch, a ring, or an atom with its bond (`[=O]`); or
- all are atoms of both, and a plain `[C]` is next to another one, which no SMILES of a real molecule has.
It is SMILES if a symbol is not one of SELFIES (`[Na+]`, which SELFIES writes `[Na+1]`; `[nH]`). What is left can be
either, such as `[O]` (water or an oxygen atom); `settle_selfies` decides it by the rest of its column.

Source: Krenn et al., Self-referencing embedded strings (SELFIES), Mach. Learn.: Sci. Technol. 1 (2020) 045024.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from scimind.data.defects import UNPARSABLE, RecordError
from scimind.data.formats.rows import Row
from scimind.errors import DataError, SciMindError
from scimind.tokenizer.tags import in_tag, with_own_tags, without_tag

DECODED = "SELFIES decoded"
KEPT = "SMILES that could also be SELFIES"

_SYMBOLS = re.compile(r"(?:\[[^\[\]\s<>]+\]|\.(?=\[)|>)+")
_RUN = re.compile(r"(?:\[[^\[\]\s<>]+\]){2,}")
_SYMBOL = re.compile(r"\[[^\]]+\]")
# As in the package's grammar, where hydrogens and charges have numbers: [CH3], [NH1+1].
_ATOM = re.compile(r"\[\d*[A-Z][a-z]?@{0,2}(?:H\d)?(?:[+-][1-9]+)?\]")
_ONLY_SELFIES = re.compile(r"\[(?:[=#/\\].+|(?:[-=#/\\]{0,2})(?:Branch|Ring)\d.*|Expl.*|.*expl|nop|epsilon)\]")
_CARBON = re.compile(r"\[C\]\[|\]\[C\]")
_PLAIN = re.compile(r"\[(?:B|C|N|O|P|S|F|Cl|Br|I)\]")

_MOST_WAITING = 10_000  # rows that wait until a value of their column shows what it is


def is_selfies(text: str) -> bool | None:
    """Returns whether a text is SELFIES, None if it can be SMILES of another molecule as well; see the module."""
    if not text.startswith("[") or _SYMBOLS.fullmatch(text) is None:
        return False
    symbols = _SYMBOL.findall(text)
    if any(_ONLY_SELFIES.fullmatch(symbol) for symbol in symbols):
        return True
    if not all(_ATOM.fullmatch(symbol) for symbol in symbols):
        return False
    if _CARBON.search(text):
        return True
    return None if _PLAIN.search(text) else False


def decode_selfies(text: str) -> str:
    """Returns the SMILES of SELFIES; of a reaction `A>B>C`, part by part.

    Raises:
        RecordError: A symbol is unknown, or no atom is left.
        SciMindError: The package `selfies` is not installed.
    """
    try:
        from selfies import DecoderError, decoder
    except ImportError as error:
        reason = f"{text[:40]!r} is SELFIES, which needs the package selfies; run: pip install 'scimind[selfies]'"
        raise SciMindError(reason) from error
    try:
        smiles = ">".join(str(decoder(part)) if part else "" for part in text.split(">"))
    except DecoderError as error:
        what = str(error).strip().partition("\n")[0]
        raise RecordError(UNPARSABLE, f"the SELFIES cannot be decoded ({what}); correct it", text=text) from error
    if not smiles.strip(">"):
        raise RecordError(UNPARSABLE, "the SELFIES has no atoms; correct it", text=text)
    return smiles


def molecule_text(text: str) -> tuple[str, Mapping[str, int]]:
    """Returns the SMILES of a field or line with a molecule, and what was read differently from how it is written.

    Args:
        text: SMILES or SELFIES, bare or in a tag, also in one of another project.

    Raises:
        RecordError: SELFIES cannot be decoded.
        SciMindError: The package `selfies` is needed and not installed.
    """
    readings: Counter[str] = Counter()
    text = without_tag(with_own_tags(text, decode_selfies, readings), "smiles")
    known = is_selfies(text)
    if known:
        readings[DECODED] += 1
        return decode_selfies(text), readings
    if known is None and not readings:
        readings[KEPT] += 1
    return text, readings


def with_smiles(text: str, readings: Counter[str]) -> str:
    """Returns a text with the tags of other projects as ours, or, if all of it is SELFIES, its SMILES in a tag.

    Args:
        text: The text of a turn, a prompt or an answer.
        readings: Counts what was read, and SELFIES among words, which stay text.

    Raises:
        RecordError: SELFIES cannot be decoded.
        SciMindError: The package `selfies` is needed and not installed.
    """
    text = with_own_tags(text, decode_selfies, readings)
    if "][" not in text:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if is_selfies(line.strip()):
            readings[DECODED] += 1
            lines[number] = in_tag(decode_selfies(line.strip()), "smiles")
        else:
            among = sum(bool(is_selfies(match[0])) for match in _RUN.finditer(line))
            readings.update({"SELFIES among words kept as text": among} if among else {})
    return "\n".join(lines)


def settle_selfies(rows: Iterator[Row | DataError], names: Collection[str]) -> Iterator[Row | DataError]:
    """Yields rows, with values that can be SMILES or SELFIES tagged as SELFIES if the others of their column are.

    The first value of a column that can only be one of them decides. Until it is found, rows wait; without one, or if
    too many rows wait, values that can be both are SMILES.

    Args:
        rows: The records of a file.
        names: The fields that hold molecules.
    """
    decided: dict[str, bool] = {}
    waiting: list[Row | DataError] = []
    pending: set[str] = set()
    try:
        for row in rows:
            waiting.append(row)
            values = {} if isinstance(row, DataError) else row.values
            for name in set(names) - set(decided):
                value = values.get(name)
                if isinstance(value, str) and value.strip():
                    known = is_selfies(value.strip())
                    pending.add(name)
                    if known is not None:
                        decided[name] = known
            if len(waiting) > _MOST_WAITING:
                decided |= dict.fromkeys(pending - set(decided), False)
            if pending <= set(decided):
                yield from (_settled(row, decided) for row in waiting)
                waiting.clear()
    except DataError:
        yield from (_settled(row, decided) for row in waiting)
        raise
    yield from (_settled(row, decided) for row in waiting)


def _settled(row: Row | DataError, decided: Mapping[str, bool]) -> Row | DataError:
    """Returns a row in which values that can be both are tagged, in the columns that are SELFIES."""
    if isinstance(row, DataError) or not any(decided.values()):
        return row
    tagged = {
        name: in_tag(value.strip(), "selfies")
        for name, is_one in decided.items()
        if is_one and isinstance(value := row.values.get(name), str) and is_selfies(value.strip()) is None
    }
    return replace(row, values={**row.values, **tagged}) if tagged else row
