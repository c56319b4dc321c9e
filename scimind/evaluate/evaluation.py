"""One evaluation: from files of predictions and references to metrics, with a record of how they were computed."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scimind._version import __version__
from scimind.data.formats.notes import FileNotes
from scimind.data.formats.opening import regular_file
from scimind.data.tasks.outputs import GROUPS
from scimind.errors import SciMindError
from scimind.evaluate.lpm24.property_tables import PropertyTables, read_property_tables
from scimind.evaluate.marked_outputs import check_sequences, read_marked
from scimind.evaluate.metric_groups import group_of, labels_of, numbers_of, part_of
from scimind.evaluate.metrics.registry import find_metric
from scimind.evaluate.predictions import Item, caption_text, read_items, read_molecules
from scimind.evaluate.resampling import Resampling, Score
from scimind.evaluate.results import FORMAT, Findings
from scimind.hashing import file_checksum
from scimind.runtime.console import Console

if TYPE_CHECKING:
    from scimind.evaluate.metrics.ranked import AnswerScores

PROTOCOLS = ("lpm24", "molt5")


@dataclass(frozen=True)
class EvaluateOptions:
    """What to score, and how.

    Attributes:
        task: A task (see `scimind.data.find_task`) or one of `scimind.data.tasks.outputs.GROUPS`.
        predictions: File of outputs; for `pretrain`, of losses.
        references: File of references; None to use those in the predictions file.
        protocol: lpm24 or molt5.
        wordpiece_vocab: SciBERT's `vocab.txt`.
        wordnet: Folder of WordNet; None to look for one.
        properties: L+M-24's `nested_props.json`.
        withheld: L+M-24's `withheld_combos.txt`.
        training: Molecules of the training data, one per line or in a column `SMILES` or `molecule`.
        with_fcd: Whether the Fréchet ChemNet distance is computed.
        extract: Whether a molecule or protein among other text is taken out of an output.
        positive_label: Which of two labels is positive.
        resampling: How intervals are computed.
        workers: Number of processes.
        columns: The column of `output`, `reference`, `input` or `id` that is not found by its name.
    """

    task: str
    predictions: Path
    references: Path | None = None
    protocol: str = "lpm24"
    wordpiece_vocab: Path | None = None
    wordnet: Path | None = None
    properties: Path | None = None
    withheld: Path | None = None
    training: Path | None = None
    with_fcd: bool = False
    extract: bool = False
    positive_label: str | None = None
    resampling: Resampling = Resampling()
    workers: int = 1
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        metrics: The content of `metrics.json`.
        rows: One row per item: id, input, reference, output, `read` if something else than the output was scored,
            its scores and, if there are prompts with several, `answers` with the scores of each.
    """

    metrics: dict[str, Any]
    rows: list[dict[str, Any]]

    @property
    def scores(self) -> dict[str, Score]:
        """The scores with their confidence intervals, by the metric's name."""
        found: dict[str, Any] = self.metrics["metrics"]
        return {name: Score(one["value"], one["low"], one["high"]) for name, one in found.items()}


def evaluate(options: EvaluateOptions, console: Console | None = None) -> Evaluation:
    """Scores a file of predictions.

    Args:
        options: What to score, and how.
        console: Shows progress; None to hide it.

    Raises:
        SciMindError: A file is missing or malformed, files do not belong together, a reference is invalid, or an option
            is wrong.
    """
    group = group_of(options.task)
    if options.protocol not in PROTOCOLS:
        raise SciMindError(f"protocol ({options.protocol}) must be {' or '.join(PROTOCOLS)}")
    if group == "language_model":
        from scimind.evaluate.metrics.perplexity import read_losses, score_losses

        findings = score_losses(read_losses(options.predictions), options.resampling)
        return Evaluation(_content(options, group, findings, len(findings.rows)), findings.rows)
    notes: dict[str, FileNotes] = {}
    items = read_items(
        options.predictions,
        options.references,
        columns=GROUPS[group],
        unescape=group == "captions",
        chosen=options.columns,
        notes=notes,
    )
    given = _with_reference(items)
    scored, marks = read_marked(given, group, extract=options.extract)
    check_sequences(scored, group, options.predictions)
    if group in ("classification", "multilabel"):
        scored, options = _as_labels(scored, options)
    console = console or Console(sys.stderr, silent=True)
    for name, about in notes.items():
        console.print(f"{getattr(options, name)}: {about.description()}")
    with console.progress(len(scored), group, unit="item", every=max(1, len(scored) // 10)) as progress:
        findings = _score(group, scored, options, progress.advance)
    if any(item.further for item in scored) and group != "regression":
        from scimind.evaluate.metrics.ranked import add_ranked

        with console.progress(len(scored), "answers", unit="item", every=max(1, len(scored) // 10)) as progress:
            scorer, advance = _answer_scorer(group), progress.advance
            add_ranked(findings, scored, given, scorer, options.resampling, workers=options.workers, advance=advance)
    findings.counts |= marks
    if part := part_of(options.task):
        findings.settings["part"] = part
    if len(given) < len(items):
        findings.counts["failed_prompts_without_reference"] = len(items) - len(given)
    if options.extract:
        findings.settings["extract"] = "a molecule or protein among other text is taken out of its output"
    for place, (item, read) in enumerate(zip(given, scored, strict=True)):
        if item.output != read.output and findings.rows:
            findings.rows[place] = {"read": read.output, **findings.rows[place]}
    shown = [replace(read, output=item.output) for item, read in zip(given, scored, strict=True)]
    return evaluation_of(options, shown, findings)


def evaluation_of(options: EvaluateOptions, items: list[Item], findings: Findings) -> Evaluation:
    """Returns an evaluation of items that have been scored.

    Args:
        options: What was scored, and how.
        items: The items of its files.
        findings: The results of a group of metrics on the items.
    """
    findings.counts = {"items": len(items), **_common_counts(items), **findings.counts}
    rows = [_row(item, scores) for item, scores in zip(items, findings.rows, strict=True)]
    return Evaluation(_content(options, group_of(options.task), findings, len(items)), rows)


def _score(group: str, items: list[Item], options: EvaluateOptions, advance: Callable[[int], None]) -> Findings:
    resampling, workers = options.resampling, options.workers
    tables: PropertyTables | None = None
    if options.properties or options.withheld:
        tables = read_property_tables(options.properties, options.withheld)
    if group == "captions":
        from scimind.evaluate.metrics.captions import score_captions
        from scimind.evaluate.resources.wordnet import find_wordnet

        return score_captions(
            items,
            resampling,
            vocabulary=options.wordpiece_vocab,
            wordnet=find_wordnet(options.wordnet),
            tables=tables,
            workers=workers,
            advance=advance,
        )
    if group in ("molecules", "reactions"):
        from scimind.evaluate.metrics.molecule_sets import MoleculeOptions, read_training, score_molecules
        from scimind.evaluate.metrics.reactions import score_reactions

        training = None
        if options.training:
            training = read_training(read_molecules(options.training), workers)
        molecule_options = MoleculeOptions(
            options.protocol, training, options.with_fcd, tables, options.wordpiece_vocab
        )
        score = score_molecules if group == "molecules" else score_reactions
        return score(items, resampling, molecule_options, workers=workers, advance=advance)
    if group == "proteins":
        from scimind.evaluate.metrics.sequences import score_proteins

        return score_proteins(items, resampling, workers=workers, advance=advance)
    if group == "names":
        from scimind.evaluate.metrics.name_sets import score_names

        return score_names(items, resampling)
    if group in ("iupac", "formulas"):
        from scimind.evaluate.metrics.names_and_formulas import score_formulas, score_iupac_names

        return (score_iupac_names if group == "iupac" else score_formulas)(items, resampling)
    if group == "multilabel":
        from scimind.evaluate.metrics.multilabel import score_multilabel

        return score_multilabel(items, resampling, positive=options.positive_label)
    if group == "regression":
        from scimind.evaluate.metrics.regression import score_numbers

        return score_numbers(items, resampling, *numbers_of(options.task))
    from scimind.evaluate.metrics.classification import score_labels

    return score_labels(items, resampling, positive=options.positive_label)


def _answer_scorer(group: str) -> Callable[[Item], AnswerScores]:
    """Returns the function that scores several answers to a prompt."""
    if group == "molecules":
        from scimind.evaluate.metrics.ranked_molecules import score_molecule_answers

        return score_molecule_answers
    if group == "reactions":
        from scimind.evaluate.metrics.reactions import score_reaction_answers

        return score_reaction_answers
    if group == "proteins":
        from scimind.evaluate.metrics.sequences import score_protein_answers

        return score_protein_answers
    from scimind.evaluate.metrics.classification import read_label
    from scimind.evaluate.metrics.name_sets import names_in
    from scimind.evaluate.metrics.names_and_formulas import iupac_name, read_formula
    from scimind.evaluate.metrics.ranked import ExactAnswers

    compared = {"captions": caption_text, "names": names_in, "iupac": iupac_name, "formulas": read_formula}
    return ExactAnswers(compared.get(group, read_label))


def _as_labels(items: list[Item], options: EvaluateOptions) -> tuple[list[Item], EvaluateOptions]:
    """Returns items and options with the labels of the task for the ways in which files spell them."""
    labels = labels_of(options.task)
    if labels is None:
        return items, options
    from scimind.data.content.labels import find_label
    from scimind.evaluate.metrics.classification import with_labels

    positive = options.positive_label and (find_label(options.positive_label, labels) or options.positive_label)
    return with_labels(items, labels), replace(options, positive_label=positive)


def _content(options: EvaluateOptions, group: str, findings: Findings, items: int) -> dict[str, Any]:
    """Returns the content of `metrics.json`."""
    files = {
        name: _fingerprint(path)
        for name in ("predictions", "references", "wordpiece_vocab", "properties", "withheld", "training")
        if (path := getattr(options, name)) is not None
    }
    resampling = options.resampling
    return {
        "format": FORMAT,
        "task": options.task,
        "group": group,
        "protocol": options.protocol if group in ("captions", "molecules", "reactions") else None,
        "items": items,
        "metrics": {
            name: {
                "value": score.value,
                "low": score.low,
                "high": score.high,
                "better": find_metric(name).better,
                "text": find_metric(name).text,
            }
            for name, score in findings.scores.items()
        },
        "protocol_values": findings.protocol_values,
        "not_computed": findings.not_computed,
        "counts": findings.counts,
        "settings": {
            **findings.settings,
            "intervals": f"{resampling.confidence:g} percentile bootstrap over items, {resampling.samples} samples, "
            f"seed {resampling.seed}"
            if resampling.samples
            else "not computed",
        },
        "details": findings.details,
        "files": files,
        "versions": {
            "scimind": __version__,
            "python": platform.python_version(),
            **{name: version for name in findings.packages if (version := _version(name))},
        },
    }


def _with_reference(items: list[Item]) -> list[Item]:
    """Returns the items without failed prompts that have no reference: those whose records could not be read."""
    found = [item for item in items if item.reference is not None or not _has_failed(item)]
    return found if any(item.reference is not None for item in found) else items


def _has_failed(item: Item) -> bool:
    return item.extra.get("finish_reason") == "error"


def _common_counts(items: list[Item]) -> dict[str, int]:
    """Returns how many outputs are missing from a table, and how many prompts failed with an error."""
    counts = {
        "missing_outputs": sum(not item.has_output for item in items),
        "failed_prompts": sum(map(_has_failed, items)),
    }
    return {name: count for name, count in counts.items() if count}


def _row(item: Item, scores: dict[str, Any]) -> dict[str, Any]:
    return {"id": item.id, "input": item.input, "reference": item.reference, "output": item.output, **scores}


def _fingerprint(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": file_checksum(regular_file(path))}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
