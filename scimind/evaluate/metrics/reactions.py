"""Scores of answers that are one or several molecules of a reaction: its product, its reactants, its reagents.

A molecule here is a component: what a dot separates from the others in SMILES, without numbers of mapped atoms. Answers
and references are compared as sets of components, so neither their order nor a repetition matters.

Sources: the largest component is MaxFrag of Tetko et al., State-of-the-art augmented NLP transformer models for direct
and single-step retrosynthesis, Nature Communications 11 (2020); the match by InChI is that of LLM4Chem (SMolInstruct).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem.SaltRemover import SaltRemover

from scimind.data.content.molecules import without_maps
from scimind.data.formats.text_files import repair_backslashes
from scimind.evaluate.metrics.molecule_sets import MoleculeOptions, score_molecules
from scimind.evaluate.metrics.molecules import has_white_space, parse_reference, parse_smiles
from scimind.evaluate.metrics.ranked import AnswerScores
from scimind.evaluate.metrics.ranked_molecules import score_molecule_answers
from scimind.evaluate.parallel_scoring import attempt, score_each
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling, estimate, mean_of
from scimind.evaluate.results import Failure, Findings, withdraw

MATCHES = ("exact", "exact_inchi", "exact_without_salts", "max_fragment")
_SETTINGS = {
    "exact": "same set of components by canonical SMILES, without numbers of mapped atoms",
    "exact_inchi": "same set of components by InChI, or by canonical SMILES where there is no InChI",
    "exact_without_salts": "as exact, without components in RDKit's list Salts.txt, such as ions of "
    "halogens and alkali metals, water, ammonia and common acids, unless all components are in it",
    "max_fragment": "same component with the most heavy atoms",
}


@dataclass(frozen=True)
class Components:
    """What the molecules of an answer are compared by.

    Attributes:
        smiles: The canonical SMILES of all components.
        inchi: Their InChIs; the canonical SMILES of those without one.
        essential: The canonical SMILES of those that are not salts or solvents; of all if there are no others.
        largest: The canonical SMILES of the one with the most heavy atoms; of several, the last in the alphabet.
    """

    smiles: frozenset[str]
    inchi: frozenset[str]
    essential: frozenset[str]
    largest: str

    def matches(self, other: Components) -> dict[str, bool]:
        """Returns whether both are the same, by the names of `MATCHES`."""
        pairs = (
            (self.smiles, other.smiles),
            (self.inchi, other.inchi),
            (self.essential, other.essential),
            (self.largest, other.largest),
        )
        return {name: ours == theirs for name, (ours, theirs) in zip(MATCHES, pairs, strict=True)}


def components_of(molecule: Any) -> Components:
    """Returns the components of RDKit's molecule, which has an atom."""
    with rdBase.BlockLogs():
        parts = Chem.GetMolFrags(without_maps(molecule), asMols=True)
        named = {Chem.MolToSmiles(part): part for part in parts}
        essential = [name for name, part in named.items() if _salts().StripMol(part).GetNumAtoms()]
        inchi = frozenset(Chem.MolToInchi(part) or name for name, part in named.items())
    largest = max(named, key=lambda name: (named[name].GetNumHeavyAtoms(), name))
    return Components(frozenset(named), inchi, frozenset(essential or named), largest)


def score_reactions(
    items: Sequence[Item],
    resampling: Resampling,
    options: MoleculeOptions | None = None,
    *,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> Findings:
    """Returns the scores of `score_molecules`, with `exact` as a match of sets of components, and the other matches.

    Args:
        items: Outputs.
        resampling: How intervals are computed.
        options: How the outputs are scored as molecules.
        workers: Number of processes.
        advance: Called with the number of newly scored items.

    Raises:
        DataError: Only some items have a reference, or a reference is not valid.
    """
    findings = score_molecules(items, resampling, options, workers=workers, advance=advance)
    findings.not_computed.pop("withheld combinations", None)
    if all(item.reference is None for item in items):
        findings.not_computed.update(dict.fromkeys(MATCHES, "there are no references"))
        return findings
    found = score_each(_score, items, workers)
    matches = estimate({name: mean_of([scores[name] for scores, _ in found]) for name in MATCHES}, resampling)
    findings.scores = matches | {name: score for name, score in findings.scores.items() if name not in MATCHES}
    findings.protocol_values.pop("exact", None)
    findings.settings |= _SETTINGS
    findings.rows = [scores | {**row, **scores} for row, (scores, _) in zip(findings.rows, found, strict=True)]
    withdraw(findings, [failure for _, failures in found for failure in failures])
    return findings


def score_reaction_answers(item: Item) -> AnswerScores:
    """Returns the scores of several answers to a prompt: those of molecules, and the matches of components.

    Raises:
        DataError: The reference is not valid.
    """
    found = score_molecule_answers(item)
    if item.reference is None:
        return found
    failures: list[Failure] = []
    right = _components(parse_reference(item)[2], item.id, failures)
    answers = [
        {**scores, **_matches(text, right, item.id, failures)}
        for text, scores in zip(item.answers, found.answers, strict=True)
    ]
    return replace(found, answers=answers, failures=[*found.failures, *failures])


def _score(item: Item) -> tuple[dict[str, bool], list[Failure]]:
    failures: list[Failure] = []
    right = _components(parse_reference(item)[2], item.id, failures)
    return _matches(item.output, right, item.id, failures), failures


def _matches(text: str, right: Components | None, item: str, failures: list[Failure]) -> dict[str, bool]:
    output = repair_backslashes(text.strip())[0]
    ours = None if has_white_space(output) else _components(parse_smiles(output), item, failures)
    return dict.fromkeys(MATCHES, False) if ours is None or right is None else ours.matches(right)


def _components(molecule: Any, item: str, failures: list[Failure]) -> Components | None:
    """Returns the components of RDKit's molecule; None for None, and for one on which RDKit fails."""
    if molecule is None:
        return None
    errors: list[Failure] = []
    found: Components | None = attempt("", item, errors, components_of, molecule, default=None)
    failures += [Failure(name, item, error.reason) for error in errors for name in MATCHES]
    return found


@lru_cache(maxsize=1)
def _salts() -> SaltRemover:
    return SaltRemover()
