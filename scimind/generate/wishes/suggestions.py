"""Errors for words that cannot be used, with what was probably meant."""

from __future__ import annotations

from scimind.config.schema import nearest, show
from scimind.errors import ConfigError
from scimind.generate.wishes.measures import FUNCTIONS, USAGE, named_measures
from scimind.generate.wishes.words import RESERVED, Word, fault

_ALLOWED = (
    "names are RDKit's descriptors, such as MolWt, and formula, scaffold, charge; "
    f"functions are {', '.join(USAGE.values())}"
)
# Usual names that are too different from RDKit's to be found by their letters.
_MEANT = {
    "mw": "MolWt",
    "weight": "MolWt",
    "mass": "MolWt",
    "hbd": "NumHDonors",
    "hba": "NumHAcceptors",
    "psa": "TPSA",
    "rotb": "NumRotatableBonds",
    "numatoms": "HeavyAtomCount",
    "atoms": "HeavyAtomCount",
    "numrings": "RingCount",
    "rings": "RingCount",
    "substructure": "has",
    "contains": "has",
    "tanimoto": "similarity",
}
# What to write instead of words that are not part of the language.
_INSTEAD = {
    "=": "to compare, write ==",
    ":=": "to compare, write ==",
    "is": "to compare, write ==",
    "<>": "write !=",
    "≠": "write !=",
    "=<": "write <=",
    "≤": "write <=",
    "=>": "write >=",
    "≥": "write >=",
    "−": "write -",
    "×": "write *",
    **dict.fromkeys(("&", "&&"), "write and"),
    **dict.fromkeys(("|", "||"), "write or"),
    **dict.fromkeys("!~", "write not"),
    **dict.fromkeys(",;", "join conditions with and"),
    **dict.fromkeys(("if", "else"), "join conditions with and, or, not"),
    **dict.fromkeys(("**", "^", "//", "%"), "calculate with + - * /"),
    **dict.fromkeys(
        "[{", "subscripts, lists and sets are not allowed; several values are written as in RingCount in (1, 2)"
    ),
    ".": "attributes are not allowed",
    **dict.fromkeys("“”‘’`´", "write ' or \""),
}


def unexpected(word: Word, wanted: str, remedy: str = "") -> ConfigError:
    """Returns the error for a word in a place where it makes no sense.

    Args:
        word: The word.
        wanted: What is needed there.
        remedy: What to do; by default it depends on the word.
    """
    if word.kind == "end":
        return fault(word.start, f"the text ends where {wanted} is expected; {remedy or 'complete it'}")
    if word.text in ("'", '"'):
        return fault(word.start, f"the quote {word.text} is not closed; close it")
    lower = word.text.lower()
    if lower in RESERVED and lower != word.text:
        remedy = f"write {lower}"
    remedy = remedy or _INSTEAD.get(lower, "correct it")
    return fault(word.start, f"found {show(word.text)} where {wanted} is expected; {remedy}")


def unknown(word: Word, is_call: bool) -> ConfigError:
    """Returns the error for a name that does not exist, with the nearest one.

    Args:
        word: The name.
        is_call: Whether a parenthesis follows it.
    """
    candidates = FUNCTIONS if is_call else {**named_measures(), **FUNCTIONS}
    lower = {name.lower(): name for name in candidates}
    key = word.text.lower()
    guess = _MEANT.get(key) or lower.get(nearest(key, lower) or "")
    what = f"{show(word.text)} is not a {'function' if is_call else 'name'} of conditions"
    return fault(word.start, f"{what}; the nearest is {USAGE.get(guess, guess)}" if guess else f"{what}; {_ALLOWED}")
