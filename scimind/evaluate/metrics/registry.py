"""The metrics: which direction is better, and a line that describes what was measured."""

from __future__ import annotations

from dataclasses import dataclass

HIGHER, LOWER, NEITHER = "higher", "lower", "neither"
_PREFIX = "withheld_"


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
    "perplexity": Metric(LOWER, "perplexity per token"),
    "perplexity_text": Metric(LOWER, "perplexity per text token"),
    "perplexity_smiles": Metric(LOWER, "perplexity per molecule token"),
    "perplexity_nucleotide": Metric(LOWER, "perplexity per nucleic acid token"),
    "perplexity_protein": Metric(LOWER, "perplexity per protein token"),
}


def find_metric(name: str) -> Metric:
    """Returns the metric of a score's name; the prefix `withheld_` means the items with a withheld combination."""
    if name in _METRICS:
        return _METRICS[name]
    whole = _METRICS[name.removeprefix(_PREFIX)]
    return Metric(whole.better, f"{whole.text}; items asked with a withheld combination")
