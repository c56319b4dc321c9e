"""Scores of answers that are the IUPAC name or the molecular formula of a molecule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from rdkit import Chem

from scimind.errors import DataError
from scimind.evaluate.metrics.bleu import bleu_counts, bleu_of
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, Statistic, estimate, mean_of
from scimind.evaluate.results import Findings

_TOKEN = re.compile(r"([A-Z][a-z]?)(\d*)|([(\[])|[)\]](\d*)")
_CHARGE = re.compile(r"([+-])(\d*)$|(?<=\])(\d+)([+-])$")
_CHARGE_KEY = "charge"
_LAST_ELEMENT = 118

Formula = frozenset[tuple[str, int]]


def iupac_name(text: str) -> frozenset[str]:
    """Returns the names that semicolons separate, without white space at their ends, as they are compared."""
    return frozenset(name for part in text.split(";") if (name := " ".join(part.split())))


def read_formula(text: str) -> Formula | None:
    """Returns the number of atoms of each element and the charge; None if a text is not a molecular formula.

    The order of elements does not matter, brackets are multiplied out, and parts between dots are added: `C2H6O`,
    `OH6C2`, `Ca(OH)2`, `CuSO4.5H2O`, `C5H14NO+`, `SO4-2`. D and T are counted apart from H.
    """
    whole: Counter[str] = Counter()
    text = "".join(text.split())
    if (charge := _CHARGE.search(text)) is not None:
        text = text[: charge.start()]
        sign, number = charge[1] or charge[4], charge[2] or charge[3] or "1"
        whole[_CHARGE_KEY] = int(f"{sign}{number}")
    for part in re.split("[.·]", text):
        factor = re.match(r"\d*", part)
        atoms = _atoms(part[factor.end() :] if factor else part)
        if not atoms:
            return None
        times = int((factor and factor[0]) or 1)
        for element, number in atoms.items():
            whole[element] += times * number
    return frozenset((name, number) for name, number in whole.items() if number)


def score_iupac_names(items: Sequence[Item], resampling: Resampling) -> Findings:
    """Returns the share of names that are exactly right, BLEU of characters, and the mean number of edits.

    Args:
        items: Outputs and references.
        resampling: How intervals are computed.

    Raises:
        DataError: A reference is missing or empty.
    """
    findings = _score(items, resampling, iupac_name)
    findings.settings["exact"] = "same text, with white space as one blank and names between semicolons in any order"
    return findings


def score_formulas(items: Sequence[Item], resampling: Resampling) -> Findings:
    """Returns the share of formulas that are right, that are right letter by letter, and that are formulas at all.

    Args:
        items: Outputs and references.
        resampling: How intervals are computed.

    Raises:
        DataError: A reference is missing or not a formula.
    """
    findings = _score(items, resampling, read_formula)
    valid = [read_formula(item.output) is not None for item in items]
    same = [item.output.strip() == (item.reference or "").strip() for item in items]
    findings.scores |= estimate({"exact_text": mean_of(same), "validity": mean_of(valid)}, resampling)
    findings.settings["exact"] = "same number of atoms of each element and same charge, in any order of the elements"
    findings.settings["valid"] = "elements with their numbers, in brackets or not, and at the end the charge"
    for row, is_same, is_valid in zip(findings.rows, same, valid, strict=True):
        row |= {"exact_text": is_same, "valid": is_valid}
    return findings


def _score(items: Sequence[Item], resampling: Resampling, read: Callable[[str], Any]) -> Findings:
    for item in items:
        if not read(item.reference or ""):
            what = "missing; give --references" if item.reference is None else "not valid; correct the references"
            raise DataError(f"the reference of item {item.id} ({(item.reference or '')[:60]!r}) is {what}")
    findings = Findings(packages=("rapidfuzz", "nltk", "numpy"))
    texts = [(item.output.strip(), (item.reference or "").strip()) for item in items]
    exact = [read(output) == read(reference) for output, reference in texts]
    edits = [Levenshtein.distance(output, reference) for output, reference in texts]
    counts = np.array([bleu_counts(reference, output) for output, reference in texts])
    findings.counts = {"empty_outputs": sum(not output for output, _ in texts)}
    findings.settings = {"bleu": "corpus, characters, 4-grams, uniform weights, no smoothing"}
    findings.scores = estimate(
        {"exact": mean_of(exact), "bleu": Statistic(counts, bleu_of), "levenshtein": mean_of(edits)}, resampling
    )
    findings.rows = [
        {"exact": is_exact, "levenshtein": number, "bleu": float(bleu_of(row))}
        for is_exact, number, row in zip(exact, edits, counts, strict=True)
    ]
    return findings


def _atoms(text: str) -> Counter[str] | None:
    """Returns the atoms of a formula without charge and dots; None if it is not one."""
    levels: list[Counter[str]] = [Counter()]
    place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            return None
        element, number, opening, times = token.groups()
        if opening:
            levels.append(Counter())
        elif element:
            if element not in _elements():
                return None
            levels[-1][element] += int(number or 1)
        elif len(levels) == 1:
            return None
        else:
            for inner, count in levels.pop().items():
                levels[-1][inner] += count * int(times or 1)
        place = token.end()
    return levels[0] if len(levels) == 1 else None


@lru_cache(maxsize=1)
def _elements() -> frozenset[str]:
    table = Chem.GetPeriodicTable()
    return frozenset(("D", "T", *(table.GetElementSymbol(number) for number in range(1, _LAST_ELEMENT + 1))))
