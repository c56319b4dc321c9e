"""Scores of a set of generated molecules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from scimind.evaluate.lpm24.properties import Lexicon, holds_combination
from scimind.evaluate.lpm24.property_tables import PropertyTables
from scimind.evaluate.metrics.bleu import bleu_of
from scimind.evaluate.metrics.fcd import LONGEST, frechet_chemnet_distance
from scimind.evaluate.metrics.molecules import (
    SIMILARITIES,
    MoleculeScores,
    canonical_smiles,
    has_white_space,
    score_molecule,
)
from scimind.evaluate.parallel_scoring import score_each
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, Score, Statistic, estimate, mean_of
from scimind.evaluate.resources.wordpiece import tokenizer_of
from scimind.evaluate.results import Findings, withdraw

PROTOCOLS = {
    "lpm24": "an invalid output has similarity 0",
    "molt5": "invalid outputs are left out of the similarities",
}
WITHHELD = "withheld_"
_NO_WITHHELD = "needs --withheld, --wordpiece_vocab and descriptions (the first column of a table of predictions)"


@dataclass(frozen=True)
class MoleculeOptions:
    """How a set of molecules is scored.

    Attributes:
        protocol: A key of `PROTOCOLS`.
        training: Canonical SMILES of the training data; None to leave novelty out.
        with_fcd: Whether the Fréchet ChemNet distance is computed, which loads PyTorch.
        tables: Withheld combinations of properties; with a vocabulary and descriptions, the items whose description
            names one of them are also scored separately, as on the leaderboard of L+M-24.
        vocabulary: SciBERT's `vocab.txt`.
    """

    protocol: str = "lpm24"
    training: frozenset[str] | None = None
    with_fcd: bool = False
    tables: PropertyTables | None = None
    vocabulary: Path | None = None


def score_molecules(
    items: Sequence[Item],
    resampling: Resampling,
    options: MoleculeOptions | None = None,
    *,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> Findings:
    """Returns the scores of outputs that should be SMILES.

    BLEU, exact, validity, uniqueness, novelty and similarities are 0 … 1, Levenshtein is a number of characters, and
    FCD is a distance of at least 0. Without references, only validity, uniqueness and novelty are computed.

    Args:
        items: Outputs.
        resampling: How intervals are computed; uniqueness and FCD have none.
        options: How the outputs are scored.
        workers: Number of processes.
        advance: Called with the number of newly scored items.

    Raises:
        DataError: Only some items have a reference, or a reference is not a valid molecule.
    """
    options = options or MoleculeOptions()
    if all(item.reference is None for item in items):
        return _without_references(items, resampling, options, workers, advance)
    return summarize_molecules(items, score_each(score_molecule, items, workers, advance), resampling, options)


def summarize_molecules(
    items: Sequence[Item], scores: Sequence[MoleculeScores], resampling: Resampling, options: MoleculeOptions
) -> Findings:
    """Returns the result of `score_molecules` from the scores of each item."""
    findings = _begin(options)
    everything = np.ones(len(items), bool)
    findings.rows = [_row(score, options) for score in scores]
    findings.counts = {
        "empty_outputs": sum(not item.output.strip() for item in items),
        "invalid_outputs": sum(score.canonical is None for score in scores),
        "outputs_with_white_space": sum(has_white_space(score.output) for score in scores),
        "repaired_backslashes": sum(score.raw is not None for score in scores),
    }
    findings.scores, findings.protocol_values = _summarize(scores, everything, resampling, options)
    _add_fcd(findings, items, scores, everything, options, "")
    _add_withheld(findings, items, scores, resampling, options)
    if options.training is None:
        findings.not_computed["novelty"] = "needs --training, the molecules of the training data"
    withdraw(findings, [failure for score in scores for failure in score.failures])
    return findings


def _begin(options: MoleculeOptions) -> Findings:
    """Returns findings without scores, with the settings that describe how molecules are scored."""
    findings = Findings(packages=("rdkit", "rapidfuzz", "nltk", "numpy"))
    findings.settings = {
        "invalid_outputs": PROTOCOLS[options.protocol],
        "valid": "RDKit parses the text before any white space, and the molecule has an atom",
        "exact": "same InChI, or same canonical SMILES if there is no InChI",
        "bleu": "corpus, characters, 4-grams, uniform weights, no smoothing",
        "fingerprints": "MACCS keys; RDKit paths, 2,048 bits; Morgan, radius 2, counts; Tanimoto",
    }
    return findings


def read_training(lines: Sequence[str], workers: int) -> frozenset[str]:
    """Returns the canonical SMILES of the training data's molecules, without lines that are not valid molecules."""
    return frozenset(smiles for smiles in score_each(canonical_smiles, lines, workers) if smiles is not None)


def _summarize(
    scores: Sequence[MoleculeScores], chosen: np.ndarray, resampling: Resampling, options: MoleculeOptions
) -> tuple[dict[str, Score], dict[str, float]]:
    """Returns the scores of the items that `chosen` [n] marks, and the protocol's values where they differ."""
    kept = [score for score, is_in in zip(scores, chosen, strict=True) if is_in]
    if not kept:
        return {}, {}
    valid = np.array([score.canonical is not None for score in kept])
    parses = np.array([score.parses for score in kept])
    counted = valid if options.protocol == "molt5" else np.ones(len(kept), bool)
    statistics = {
        "bleu": Statistic(np.array([score.bleu for score in kept]), bleu_of),
        "exact": mean_of([score.exact for score in kept]),
        "levenshtein": mean_of([score.levenshtein for score in kept]),
        "validity": mean_of(valid),
    }
    for name in SIMILARITIES:
        statistics[name] = mean_of([score.similarities[name] for score in kept], counted)
    protocol = {
        "exact": mean_of([score.same_inchi for score in kept]),
        "validity": mean_of(parses),
        "levenshtein": mean_of([score.levenshtein if score.raw is None else score.raw[0] for score in kept]),
        "bleu": Statistic(np.array([score.bleu if score.raw is None else score.raw[1] for score in kept]), bleu_of),
    }
    if options.protocol == "molt5":
        # There, anything that RDKit parses counts as a molecule; the empty molecule has similarity 0 to all.
        for name in SIMILARITIES:
            protocol[name] = mean_of([score.similarities[name] for score in kept], parses)
    if options.training is not None:
        statistics["novelty"] = mean_of([score.canonical not in options.training for score in kept], valid)
    ours = estimate(statistics, resampling)
    theirs = {name: score.value for name, score in estimate(protocol, Resampling(samples=0)).items()}
    ours["uniqueness"] = Score(_distinct([score.canonical for score in kept if score.canonical is not None]))
    theirs["uniqueness"] = _distinct([score.output for score in kept if score.parses])
    return ours, {name: value for name, value in theirs.items() if value is not None and value != ours[name].value}


def _distinct(smiles: Sequence[str]) -> float | None:
    """Returns the share that remains when equal texts are counted once; None if there are no texts."""
    return len(set(smiles)) / len(smiles) if smiles else None


def _without_references(
    items: Sequence[Item],
    resampling: Resampling,
    options: MoleculeOptions,
    workers: int,
    advance: Callable[[int], None],
) -> Findings:
    findings = _begin(options)
    canonical = score_each(canonical_smiles, [item.output.strip() for item in items], workers, advance)
    valid = np.array([smiles is not None for smiles in canonical])
    statistics = {"validity": mean_of(valid)}
    if options.training is not None:
        statistics["novelty"] = mean_of([smiles not in options.training for smiles in canonical], valid)
    findings.scores = estimate(statistics, resampling)
    findings.scores["uniqueness"] = Score(_distinct([smiles for smiles in canonical if smiles is not None]))
    findings.rows = [{"valid": smiles is not None, "canonical": smiles} for smiles in canonical]
    findings.counts = {
        "empty_outputs": sum(not item.output.strip() for item in items),
        "invalid_outputs": int((~valid).sum()),
    }
    lacking = ("bleu", "exact", "levenshtein", *SIMILARITIES, "fcd")
    findings.not_computed.update(dict.fromkeys(lacking, "there are no references"))
    if options.training is None:
        findings.not_computed["novelty"] = "needs --training, the molecules of the training data"
    return findings


def _add_fcd(
    findings: Findings,
    items: Sequence[Item],
    scores: Sequence[MoleculeScores],
    chosen: np.ndarray,
    options: MoleculeOptions,
    prefix: str,
) -> None:
    name = f"{prefix}fcd"
    if not options.with_fcd:
        findings.not_computed[name] = "needs --fcd and the extra scimind[fcd]"
        return
    references = [canonical_smiles(item.reference or "") for item, is_in in zip(items, chosen, strict=True) if is_in]
    ours = [score.canonical for score, is_in in zip(scores, chosen, strict=True) if is_in]
    distance = frechet_chemnet_distance([s for s in references if s], [s for s in ours if s])
    if distance.value is None:
        findings.not_computed[name] = distance.reason
        return
    findings.scores[name] = Score(distance.value)
    findings.packages = tuple(dict.fromkeys((*findings.packages, "fcd", "torch")))
    findings.settings["fcd"] = f"of molecules with a canonical SMILES of at most {LONGEST} characters, ChemNet's input"
    if distance.left_out:
        findings.counts[f"{prefix}long_molecules"] = distance.left_out
    if distance.published is not None:
        findings.protocol_values[name] = distance.published


def _add_withheld(
    findings: Findings,
    items: Sequence[Item],
    scores: Sequence[MoleculeScores],
    resampling: Resampling,
    options: MoleculeOptions,
) -> None:
    """Adds the scores of the items asked with a withheld combination of properties, under separate names."""
    tables = options.tables
    has_descriptions = all(item.input is not None for item in items)
    if tables is None or not tables.combinations or options.vocabulary is None or not has_descriptions:
        findings.not_computed["withheld combinations"] = _NO_WITHHELD
        return
    lexicon, tokenize = _lexicon(tables, str(options.vocabulary))
    named = [lexicon.find(tokenize((item.input or "").lower())) for item in items]
    chosen = np.array(holds_combination(named, tables))
    findings.counts["withheld_items"] = int(chosen.sum())
    if not chosen.any():
        findings.not_computed["withheld combinations"] = "no description names both properties of a combination"
        return
    ours, theirs = _summarize(scores, chosen, resampling, options)
    findings.scores |= {WITHHELD + name: score for name, score in ours.items()}
    findings.protocol_values |= {WITHHELD + name: value for name, value in theirs.items()}
    for row, is_in in zip(findings.rows, chosen, strict=True):
        row["withheld"] = bool(is_in)
    _add_fcd(findings, items, scores, chosen, options, WITHHELD)


@lru_cache(maxsize=1)
def _lexicon(tables: PropertyTables, vocabulary: str) -> tuple[Lexicon, Callable[[str], list[str]]]:
    tokenize = tokenizer_of(vocabulary)
    return Lexicon(tables.names, tokenize), tokenize


def _row(score: MoleculeScores, options: MoleculeOptions) -> dict[str, Any]:
    is_valid = score.canonical is not None
    row: dict[str, Any] = {
        "valid": is_valid,
        "exact": score.exact,
        "levenshtein": score.levenshtein,
        "bleu": float(bleu_of(np.array(score.bleu))),
    }
    row |= {name: score.similarities[name] if is_valid else None for name in SIMILARITIES}
    row["canonical"] = score.canonical
    if options.training is not None:
        row["novel"] = is_valid and score.canonical not in options.training
    return row
