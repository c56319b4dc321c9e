"""Scores of generated texts: BLEU, ROUGE, METEOR.

Source: the scripts of MolT5 (`text_translation_metrics.py`) and L+M-24 (`scorer.py`), which agree: corpus BLEU without
smoothing and METEOR on the first 512 SciBERT WordPieces of a text; F of ROUGE on the raw text without stemming.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer

from scimind.errors import DataError
from scimind.evaluate.lpm24.properties import Lexicon, property_findings
from scimind.evaluate.lpm24.property_tables import PropertyTables
from scimind.evaluate.metrics.bleu import ORDERS, bleu_counts, bleu_of
from scimind.evaluate.parallel_scoring import attempt, score_each
from scimind.evaluate.predictions import Item, caption_text
from scimind.evaluate.resampling import Resampling, Statistic, estimate, mean_of
from scimind.evaluate.resources.wordnet import load_wordnet, wordnet_version
from scimind.evaluate.resources.wordpiece import LONGEST, cut, tokenizer_of
from scimind.evaluate.results import Failure, Findings, withdraw

_ROUGE = {"rouge1": "rouge1", "rouge2": "rouge2", "rougeL": "rouge_l"}
NO_WORDNET = (
    "no WordNet on this machine; install scimind[evaluate], which includes it, or give --wordnet with the folder of "
    "WordNet 3.0"
)


@dataclass(frozen=True)
class CaptionScores:
    """The scores of one item.

    Attributes:
        bleu: Counts of `bleu_counts`.
        rouge: F of ROUGE-1, ROUGE-2, ROUGE-L.
        meteor: METEOR; None without WordNet.
        lengths: Number of tokens of the reference and of the output, before truncation.
        found: Indices of lexicon names in the reference and in the output; empty without a lexicon.
        failures: Metrics that raised an error.
    """

    bleu: list[int]
    rouge: list[float]
    meteor: float | None
    lengths: tuple[int, int]
    found: tuple[list[int], list[int]]
    failures: list[Failure]


@dataclass(frozen=True)
class CaptionScorer:
    """Scores an item's output; can be sent to another process.

    Attributes:
        vocabulary: SciBERT's `vocab.txt`; None to score on words.
        wordnet: Folder of WordNet; None to leave METEOR out.
        tables: Names of properties to look for.
    """

    vocabulary: str | None
    wordnet: str | None
    tables: PropertyTables | None = None

    def __call__(self, item: Item) -> CaptionScores:
        """Returns the scores of an item that has a reference."""
        tokenize = tokenizer_of(self.vocabulary)
        reference, output = caption_text(item.reference or ""), caption_text(item.output)
        right, ours = tokenize(reference), tokenize(output)
        failures: list[Failure] = []
        # The protocol cuts WordPieces only.
        right_cut, ours_cut = (cut(right), cut(ours)) if self.vocabulary else (right, ours)
        bleu = attempt("bleu", item.id, failures, bleu_counts, right_cut, ours_cut, default=[0] * (2 * ORDERS + 2))
        rouge = attempt("rouge", item.id, failures, _rouge, reference, output, default=[0.0] * len(_ROUGE))
        meteor = None
        if self.wordnet is not None:
            reader = load_wordnet(self.wordnet)
            meteor = attempt("meteor", item.id, failures, _meteor, right_cut, ours_cut, reader)
        found: tuple[list[int], list[int]] = ([], [])
        if self.tables is not None:
            # Names are looked for in the whole text, in upper or lower case.
            lexicon = _lexicon(self.tables, self.vocabulary)
            found = (lexicon.find(tokenize(reference.lower())), lexicon.find(tokenize(output.lower())))
        return CaptionScores(bleu, rouge, meteor, (len(right), len(ours)), found, failures)


def score_captions(
    items: Sequence[Item],
    resampling: Resampling,
    *,
    vocabulary: Path | None = None,
    wordnet: Path | None = None,
    tables: PropertyTables | None = None,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> Findings:
    """Returns BLEU-2, BLEU-4, ROUGE-1, -2, -L and METEOR, all 0 … 1, of texts with references.

    Args:
        items: Outputs; an empty one scores 0.
        resampling: How intervals are computed.
        vocabulary: SciBERT's `vocab.txt`; None scores on words instead, which is noted in the settings.
        wordnet: Folder of WordNet; None leaves METEOR out.
        tables: Names whose presence is scored; needs `vocabulary`.
        workers: Number of processes.
        advance: Called with the number of newly scored items.

    Raises:
        DataError: The reference of an item is missing or empty.
    """
    for item in items:
        if not caption_text(item.reference or ""):
            what = "missing; give --references" if item.reference is None else "empty; correct the references"
            raise DataError(f"the reference of item {item.id} is {what}")
    used = tables if vocabulary is not None else None
    scorer = CaptionScorer(
        str(vocabulary) if vocabulary else None,
        str(wordnet) if wordnet else None,
        used if used and used.names else None,
    )
    found = score_each(scorer, items, workers, advance)
    bleu = np.array([scores.bleu for scores in found])
    statistics = {f"bleu{order}": Statistic(bleu, partial(bleu_of, order=order)) for order in (2, 4)}
    for place, name in enumerate(_ROUGE.values()):
        statistics[name] = mean_of([scores.rouge[place] for scores in found])
    findings = Findings(packages=("nltk", "rouge-score", "tokenizers", "numpy"))
    if wordnet is None:
        findings.not_computed["meteor"] = NO_WORDNET
    else:
        statistics["meteor"] = mean_of([scores.meteor for scores in found])
    findings.scores = estimate(statistics, resampling)
    findings.rows = [_row(scores) for scores in found]
    findings.counts = {"empty_outputs": sum(not caption_text(item.output) for item in items)}
    if vocabulary:
        findings.counts["cut_outputs"] = sum(scores.lengths[1] > LONGEST for scores in found)
        findings.counts["cut_references"] = sum(scores.lengths[0] > LONGEST for scores in found)
    findings.settings = {
        "tokens": f"WordPieces of {vocabulary}, lower case, the first {LONGEST}"
        if vocabulary
        else "words and runs of punctuation, lower case, not truncated: BLEU and METEOR cannot be compared with "
        "published ones, which use SciBERT's WordPieces (--wordpiece_vocab)",
        "bleu": "corpus, uniform weights, no smoothing",
        "rouge": "F, raw text, no stemming",
        "meteor": f"NLTK's, WordNet {wordnet_version(wordnet)} in {wordnet}" if wordnet else None,
    }
    property_findings(findings, [scores.found for scores in found], tables, used is not None, resampling)
    withdraw(findings, _by_score(failure for scores in found for failure in scores.failures))
    return findings


def _rouge(reference: str, output: str) -> list[float]:
    scores = _rouge_scorer().score(reference, output)
    return [float(scores[name].fmeasure) for name in _ROUGE]


def _meteor(reference: list[str], output: list[str], wordnet: Any) -> float:
    return float(meteor_score([reference], output, wordnet=wordnet))


@lru_cache(maxsize=1)
def _rouge_scorer() -> RougeScorer:
    return RougeScorer(list(_ROUGE), use_stemmer=False)


@lru_cache(maxsize=1)
def _lexicon(tables: PropertyTables, vocabulary: str | None) -> Lexicon:
    return Lexicon(tables.names, tokenizer_of(vocabulary))


def _row(scores: CaptionScores) -> dict[str, Any]:
    item_bleu = {f"bleu{order}": float(bleu_of(np.array(scores.bleu), order)) for order in (2, 4)}
    rouge = dict(zip(_ROUGE.values(), scores.rouge, strict=True))
    row: dict[str, Any] = {**item_bleu, **rouge}
    if scores.meteor is not None:
        row["meteor"] = scores.meteor
    return {**row, "reference_tokens": scores.lengths[0], "output_tokens": scores.lengths[1]}


def _by_score(failures: Any) -> list[Failure]:
    """Returns the failures under the names of the scores that they invalidate."""
    names = {"bleu": ("bleu2", "bleu4"), "rouge": tuple(_ROUGE.values())}
    return [Failure(name, f.item, f.reason) for f in failures for name in names.get(f.metric, (f.metric,))]
