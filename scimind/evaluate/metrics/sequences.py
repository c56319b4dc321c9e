"""Scores of designed proteins: identity with the reference by global alignment."""

from __future__ import annotations

import importlib.util
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from scimind.errors import DataError
from scimind.evaluate.metrics.ranked import AnswerScores
from scimind.evaluate.parallel_scoring import attempt, score_each
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, estimate, mean_of
from scimind.evaluate.results import Failure, Findings, withdraw

# IUPAC's amino acids, with selenocysteine, pyrrolysine and the ambiguous ones.
AMINO_ACIDS = frozenset("ACDEFGHIKLMNPQRSTVWYUOBZXJ")
# BLASTP's usual costs: of the first residue of a gap, and of each further one.
GAP_OPEN, GAP_EXTEND = 12, 1
_TAGS = ("<protein>", "</protein>")


def read_sequence(text: str) -> str:
    """Returns a protein in capitals, without the tags of its modality, white space and a final stop sign."""
    for tag in _TAGS:
        text = text.replace(tag, "")
    return "".join(text.split()).upper().removesuffix("*")


def sequence_identity(first: str, second: str) -> float:
    """Returns the share of columns with the same residue in the best global alignment, 0 … 1.

    The alignment is Needleman and Wunsch's with affine gaps and BLOSUM62. Its length, including gaps at the ends, is
    the denominator, so that a short fragment is not identical to the whole.

    Args:
        first: A protein of at least one residue.
        second: Another such protein.
    """
    import parasail

    # The aligner's own counts leave out a gap at the beginning.
    aligned = parasail.nw_trace_striped_sat(first, second, GAP_OPEN, GAP_EXTEND, parasail.blosum62).traceback
    return sum(map(operator.eq, aligned.query, aligned.ref)) / len(aligned.query)


def score_proteins(
    items: Sequence[Item],
    resampling: Resampling,
    *,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> Findings:
    """Returns validity, exact match, sequence identity, ratio of lengths and Levenshtein distance of proteins.

    Args:
        items: Outputs; one that is empty or has letters other than IUPAC's amino acids is invalid and has identity 0.
        resampling: How intervals are computed.
        workers: Number of processes.
        advance: Called with the number of newly scored items.

    Raises:
        DataError: A reference is missing or not a protein.
    """
    for item in items:
        reference = read_sequence(item.reference or "")
        if not reference or not AMINO_ACIDS.issuperset(reference):
            what = "missing" if item.reference is None else f"not a protein ({reference[:60]!r})"
            raise DataError(f"the reference of item {item.id} is {what}; correct the references")
    findings = Findings(packages=("parasail", "rapidfuzz", "numpy"))
    findings.settings = {
        "identity": f"equal columns of a global alignment (BLOSUM62, gaps {GAP_OPEN} and {GAP_EXTEND}) divided by its "
        "length; 0 for an invalid output",
        "length_ratio": "length of the output divided by that of the reference, for valid outputs",
    }
    has_parasail = _has_parasail()
    scored = score_each(_with_identity if has_parasail else _without_identity, items, workers, advance)
    rows = [row for row, _ in scored]
    valid = np.array([row["valid"] for row in rows])
    statistics = {
        "validity": mean_of(valid),
        "exact": mean_of([row["exact"] for row in rows]),
        "levenshtein": mean_of([row["levenshtein"] for row in rows]),
        "length_ratio": mean_of([row["length_ratio"] for row in rows], valid),
    }
    if has_parasail:
        statistics["identity"] = mean_of([row["identity"] for row in rows])
    else:
        findings.not_computed["identity"] = "the package parasail is not installed; install scimind[evaluate]"
    findings.scores, findings.rows = estimate(statistics, resampling), rows
    findings.counts = {
        "empty_outputs": sum(not read_sequence(item.output) for item in items),
        "invalid_outputs": int((~valid).sum()),
    }
    withdraw(findings, [failure for _, failures in scored for failure in failures])
    return findings


def score_protein_answers(item: Item) -> AnswerScores:
    """Returns validity, exact match and, with the aligner, identity of the answers to a prompt with a reference."""
    score, names = _without_identity, ["exact", "valid"]
    if _has_parasail():
        score, names = _with_identity, [*names, "identity"]
    scored = [score(replace(item, output=answer)) for answer in item.answers]
    failures = [failure for _, found in scored for failure in found]
    return AnswerScores([{name: row[name] for name in names} for row, _ in scored], failures=failures)


def _has_parasail() -> bool:
    return importlib.util.find_spec("parasail") is not None


def _without_identity(item: Item) -> tuple[dict[str, Any], list[Failure]]:
    reference, output = read_sequence(item.reference or ""), read_sequence(item.output)
    row = {
        "valid": bool(output) and AMINO_ACIDS.issuperset(output),
        "exact": output == reference,
        "levenshtein": Levenshtein.distance(output, reference),
        "length_ratio": len(output) / len(reference),
    }
    return row, []


def _with_identity(item: Item) -> tuple[dict[str, Any], list[Failure]]:
    row, failures = _without_identity(item)
    reference, output = read_sequence(item.reference or ""), read_sequence(item.output)
    row["identity"] = 0.0
    if row["valid"]:
        row["identity"] = attempt("identity", item.id, failures, sequence_identity, output, reference)
    return row, failures
