"""The metrics: which direction is better, and a line that describes what was measured."""

from __future__ import annotations

import re
from dataclasses import dataclass

HIGHER, LOWER, NEITHER = "higher", "lower", "neither"
_PREFIX = "withheld_"
_TOP = re.compile(r"top(\d{1,9})_(\w+)")
_BITS = "Tanimoto, Morgan radius 2, 2,048 bits"


@dataclass(frozen=True)
class Metric:
    """The description of a metric.

    Attributes:
        better: higher, lower or neither.
        text: What it measures.
    """

    better: str
    text: str


_METRICS = {
    "bleu": Metric(HIGHER, "BLEU of characters, of the whole corpus"),
    "bleu2": Metric(HIGHER, "BLEU-2 of the whole corpus"),
    "bleu4": Metric(HIGHER, "BLEU-4 of the whole corpus"),
    "rouge1": Metric(HIGHER, "F of ROUGE-1, mean over items"),
    "rouge2": Metric(HIGHER, "F of ROUGE-2, mean over items"),
    "rouge_l": Metric(HIGHER, "F of ROUGE-L, mean over items"),
    "meteor": Metric(HIGHER, "METEOR, mean over items"),
    "property_precision": Metric(HIGHER, "precision of named properties, mean up the tree"),
    "property_recall": Metric(HIGHER, "recall of named properties, mean up the tree"),
    "property_f1": Metric(HIGHER, "F1 of named properties, mean up the tree"),
    "withheld_precision": Metric(HIGHER, "precision of withheld combinations of properties"),
    "withheld_recall": Metric(HIGHER, "recall of withheld combinations of properties"),
    "withheld_f1": Metric(HIGHER, "F1 of withheld combinations of properties"),
    "name_precision": Metric(HIGHER, "share of the names in outputs that are in the reference"),
    "name_recall": Metric(HIGHER, "share of the names in references that are in the output"),
    "name_f1": Metric(HIGHER, "F1 of the names of all items"),
    "exact": Metric(HIGHER, "share of outputs that equal the reference"),
    "exact_text": Metric(HIGHER, "share of outputs that equal the reference letter by letter"),
    "exact_inchi": Metric(HIGHER, "share of outputs with the same molecules as the reference, by InChI"),
    "exact_without_salts": Metric(HIGHER, "share of outputs with the same molecules, not counting salts and solvents"),
    "max_fragment": Metric(HIGHER, "share of outputs with the same largest molecule as the reference"),
    "levenshtein": Metric(LOWER, "edits from output to reference, mean over items"),
    "validity": Metric(HIGHER, "share of outputs that are valid molecules, or proteins"),
    "uniqueness": Metric(HIGHER, "share of valid outputs that remains when equal ones are counted once"),
    "novelty": Metric(HIGHER, "share of valid outputs that are not in the training data"),
    "maccs": Metric(HIGHER, "Tanimoto similarity of MACCS keys, mean"),
    "rdk": Metric(HIGHER, "Tanimoto similarity of RDKit's fingerprints, mean"),
    "morgan": Metric(HIGHER, "Tanimoto similarity of Morgan's fingerprints, mean"),
    "fcd": Metric(LOWER, "Fréchet ChemNet distance"),
    "identity": Metric(HIGHER, "sequence identity by global alignment, mean over items"),
    "length_ratio": Metric(NEITHER, "length divided by that of the reference, mean over valid outputs"),
    "accuracy": Metric(HIGHER, "share of correct labels"),
    "f1": Metric(HIGHER, "F1 of the labels"),
    "mcc": Metric(HIGHER, "Matthews' correlation coefficient"),
    "auroc": Metric(HIGHER, "area under the receiver operating characteristic"),
    "auprc": Metric(HIGHER, "average precision"),
    "brier": Metric(LOWER, "Brier score of the probabilities"),
    "calibration_error": Metric(LOWER, "expected calibration error"),
    "rmse": Metric(LOWER, "root of the mean squared error"),
    "mae": Metric(LOWER, "mean absolute error"),
    "r2": Metric(HIGHER, "coefficient of determination; 0 for always answering the references' mean"),
    "pearson": Metric(HIGHER, "Pearson's correlation coefficient"),
    "spearman": Metric(HIGHER, "Spearman's rank correlation coefficient"),
    "unparsed": Metric(LOWER, "share of outputs that are not a number"),
    "absolute_error": Metric(LOWER, "difference from the reference"),
    "baseline_rmse": Metric(NEITHER, "RMSE of always answering the mean"),
    "baseline_mae": Metric(NEITHER, "MAE of always answering the mean"),
    "expected_rmse": Metric(LOWER, "RMSE of the mean of a prompt's answers, weighted by their likelihoods"),
    "expected_mae": Metric(LOWER, "MAE of the same mean"),
    "expected_r2": Metric(HIGHER, "coefficient of determination of the same mean"),
    "answer_validity": Metric(HIGHER, "share of all answers that are valid molecules"),
    "answer_uniqueness": Metric(HIGHER, "different molecules among a prompt's valid answers, mean share"),
    "internal_diversity": Metric(HIGHER, f"1 minus the mean similarity of a prompt's different molecules ({_BITS})"),
    "aromatic_rings": Metric(NEITHER, "share of the rings in valid answers that are aromatic"),
    "reference_aromatic_rings": Metric(NEITHER, "share of the rings in references that are aromatic"),
    "perplexity": Metric(LOWER, "perplexity per token"),
    "perplexity_text": Metric(LOWER, "perplexity per text token"),
    "perplexity_smiles": Metric(LOWER, "perplexity per molecule token"),
    "perplexity_nucleotide": Metric(LOWER, "perplexity per nucleic acid token"),
    "perplexity_protein": Metric(LOWER, "perplexity per protein token"),
}
# Metrics of the first answers to a prompt, after `topK_`.
_OF_ANSWERS = {
    "exact": "share of prompts with the reference in the {answers}",
    "exact_inchi": "share of prompts with the reference's molecules, by InChI, in the {answers}",
    "exact_without_salts": "share of prompts with the reference's molecules, without salts, in the {answers}",
    "max_fragment": "share of prompts with the reference's largest molecule in the {answers}",
    "validity": "share of prompts with a valid molecule or protein in the {answers}",
    "similarity": f"best similarity of the {{answers}} to the reference ({_BITS}), mean",
    "identity": "best sequence identity of the {answers}, mean",
}


def top_of(name: str) -> tuple[int, str] | None:
    """Returns the number of answers and the rest of a name such as `top3_exact`; None for another name."""
    found = _TOP.fullmatch(name)
    return (int(found[1]), found[2]) if found else None


def find_metric(name: str) -> Metric:
    """Returns the metric of a score's name.

    The prefix `withheld_` means the items with a withheld combination, `topK_` the first K answers to each prompt.

    Raises:
        KeyError: There is no such metric.
    """
    if name in _METRICS:
        return _METRICS[name]
    if (top := top_of(name)) is not None:
        answers = "first answer" if top[0] == 1 else f"first {top[0]} answers"
        return Metric(HIGHER, _OF_ANSWERS[top[1]].format(answers=answers))
    whole = _METRICS[name.removeprefix(_PREFIX)]
    return Metric(whole.better, f"{whole.text}; items asked with a withheld combination")
