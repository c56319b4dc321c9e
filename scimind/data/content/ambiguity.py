"""Letters of a sequence that stand for several, for none, or for a stop, and what is done with them."""

from __future__ import annotations

import random
import re

from scimind.data.defects import LETTER, RecordError
from scimind.hashing import digest

# Source: NC-IUB, Nomenclature for incompletely specified bases in nucleic acid sequences, Nucleic Acids Research 13
# (1985), table 1.
BASES = {
    "R": "AG",
    "Y": "CT",
    "S": "CG",
    "W": "AT",
    "K": "GT",
    "M": "AC",
    "B": "CGT",
    "D": "AGT",
    "H": "ACT",
    "V": "ACG",
    "N": "ACGT",
}
GAPS = "-."
# Amino acids: X (any), B, Z, U and O have tokens; J and a stop within the sequence do not.
_RESIDUES = {"J": "leucine or isoleucine", "*": "a stop"}
_ANY_RESIDUE = "X"

SHORTEST_STRETCH = 20  # letters; a shorter one may be most of a short sequence, see `longest_stretch`


def meaning_of(tag: str, letter: str) -> str:
    """Returns what an ambiguous letter stands for, in words; empty for any other letter."""
    if tag == "protein":
        return _RESIDUES.get(letter, "")
    if letter in GAPS:
        return "a gap"
    return f"any of {', '.join(_bases(tag, letter))}" if letter in BASES else ""


def stretches(tag: str, text: str) -> list[tuple[int, str]]:
    """Returns the parts of a sequence between its ambiguous letters, each with its position from 0."""
    return [(match.start(), match[0]) for match in re.finditer(f"[^{re.escape(_letters(tag))}]+", text)]


def resolve(tag: str, text: str, policy: str, seed: int) -> tuple[str, str]:
    """Returns a sequence without ambiguous letters, and what was done, in words; empty if nothing was.

    Args:
        tag: `protein`, `dna` or `rna`.
        text: The sequence, in capital letters.
        policy: `split` takes the longest stretch without such letters. `mask` puts X for an amino acid, and for a base
            one of those that it may be, drawn by seed and sequence; gaps are left out. `drop` leaves the sequence as it
            is, and its letters are refused later.
        seed: Seed of the draw.

    Raises:
        RecordError: No stretch has 20 letters, or half of those of a shorter sequence.
    """
    number = sum(letter in _letters(tag) for letter in text)
    if policy == "drop" or not number:
        return text, ""
    which = f"{number} ambiguous letter{'s' if number > 1 else ''}"
    if policy == "mask":
        return _masked(tag, text, seed), f"{which} of the {tag} sequence replaced"
    start, longest = max(stretches(tag, text), key=lambda part: len(part[1]), default=(0, ""))
    if not longest or len(longest) < min(SHORTEST_STRETCH, len(text) / 2):
        reason = f"the longest stretch of the {tag} sequence without ambiguous letters has {len(longest)} letters"
        raise RecordError(LETTER, f"{reason}; give --ambiguous mask, or remove the record", text=text)
    place = f"{start + 1} to {start + len(longest)} of {len(text)}"
    return longest, f"{which}; the {tag} sequence was cut to its letters {place}"


def _letters(tag: str) -> str:
    return "".join(_RESIDUES) if tag == "protein" else "".join(BASES) + GAPS


def _bases(tag: str, letter: str) -> str:
    return BASES[letter].replace("T", "U") if tag == "rna" else BASES[letter]


def _masked(tag: str, text: str, seed: int) -> str:
    if tag == "protein":
        return text.translate(dict.fromkeys(map(ord, _RESIDUES), _ANY_RESIDUE))
    draw = random.Random(digest(f"{seed}:{text}"))
    return "".join(
        draw.choice(_bases(tag, letter)) if letter in BASES else letter for letter in text if letter not in GAPS
    )
