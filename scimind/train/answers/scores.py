"""Scores of the answers that an evaluation generates, by what the references are; cheap, and without MindSpore.

The kind of an answer is that of its reference: a molecule, protein, DNA or RNA if it is one sequence; a number; one of
a few labels; or text. Data of several tasks has several kinds, each with its own scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from scimind.data.content.numbers import NumberFormat
from scimind.evaluate.metrics.bleu import bleu_counts, bleu_of
from scimind.evaluate.metrics.classification import read_label
from scimind.evaluate.metrics.molecules import has_white_space, identity_of, parse_smiles
from scimind.evaluate.metrics.regression import rmse
from scimind.evaluate.metrics.sequences import AMINO_ACIDS, read_sequence
from scimind.generate.answer_rules import read_tagged
from scimind.generate.batch import Generated
from scimind.tokenizer import TokenCodec
from scimind.tokenizer.alphabet import TAG_CHARACTERS
from scimind.tokenizer.tags import closing_tag, opening_tag
from scimind.train.answers.questions import Question

# How a console line writes each score. Shares come as percentages.
_TEXTS = {
    "valid": "{:.0f} % valid",
    "exact": "{:.0f} % exact",
    "rmse": "RMSE {:.3g}",
    "unparsed": "{:.0f} % not a number",
    "accuracy": "{:.0f} % right",
    "bleu2": "BLEU-2 {:.3f}",
    "cut": "{:.0f} % cut off",
}
_SCORES = {"number": ("rmse", "unparsed"), "label": ("accuracy",), "text": ("bleu2",)}
_OF_SEQUENCES = ("valid", "exact")
_LABELLED = 8  # fewer answers do not show whether they are a few labels


def kinds_of(codec: TokenCodec, questions: Sequence[Question]) -> list[str]:
    """Returns the kind of each answer: smiles, protein, dna, rna, number, label or text."""
    kinds = [_kind(codec, question.reference) for question in questions]
    for kind in _SCORES:
        texts = [
            read_label(codec.decode(question.reference))
            for question, found in zip(questions, kinds, strict=True)
            if found == kind
        ]
        most = 2 if kind == "number" else max(2, len(texts) // 8)
        if len(texts) >= _LABELLED and len(set(texts)) <= most:
            kinds = ["label" if found == kind else found for found in kinds]
    return kinds


def scores_of(kinds: Sequence[str]) -> list[str]:
    """Returns the names of the scores of answers of these kinds."""
    names = {name for kind in kinds for name in _SCORES.get(kind, _OF_SEQUENCES)}
    return [name for name in _TEXTS if name in names or name == "cut"]


def score_answers(
    codec: TokenCodec, questions: Sequence[Question], kinds: Sequence[str], answers: Sequence[Generated]
) -> dict[str, float]:
    """Returns the scores of `scores_of`.

    Args:
        codec: The tokenizer.
        questions: The questions.
        kinds: `kinds_of` them.
        answers: An answer to each.

    Returns:
        valid: share of sequences that RDKit parses or that have only letters of their kind; exact: share of
        sequences that are the reference; rmse: of answers that are numbers, left out if none is; unparsed:
        share of answers that should be a number and are not; accuracy: share of right labels; bleu2: BLEU-2 of texts;
        cut: share of all answers that reached the length limit. Shares are 0 to 1.
    """
    by_kind: dict[str, list[tuple[str | None, str]]] = {}
    for question, kind, answer in zip(questions, kinds, answers, strict=True):
        is_sequence = kind in TAG_CHARACTERS
        read = read_tagged(codec, answer.ids, kind) if is_sequence else codec.decode(answer.ids).strip()
        reference = codec.decode(question.reference).strip()
        by_kind.setdefault("sequence" if is_sequence else kind, []).append((read, reference))
        if is_sequence:
            by_kind.setdefault(kind, []).append((read, reference))
    values: dict[str, float] = {"cut": _share([answer.finish_reason == "length" for answer in answers])}
    pairs = [(kind, *pair) for kind in TAG_CHARACTERS for pair in by_kind.get(kind, ())]
    if pairs:
        found = [_judge_sequence(kind, answer, reference) for kind, answer, reference in pairs]
        values["valid"], values["exact"] = (_share(column) for column in zip(*found, strict=True))
    if numbers := by_kind.get("number"):
        values |= _score_numbers(numbers)
    if labels := by_kind.get("label"):
        values["accuracy"] = _share([read_label(answer or "") == read_label(truth) for answer, truth in labels])
    if texts := by_kind.get("text"):
        counts = [bleu_counts(reference.split(), (answer or "").split()) for answer, reference in texts]
        values["bleu2"] = float(bleu_of(np.sum(counts, axis=0), 2))
    return {name: values[name] for name in scores_of(kinds) if math.isfinite(values[name])}


def describe_scores(scores: Mapping[str, float]) -> str:
    """Returns scores as part of a line, such as `94 % valid, 3 % exact, 0 % cut off`."""
    return ", ".join(
        text.format(100 * scores[name] if "%" in text else scores[name])
        for name, text in _TEXTS.items()
        if name in scores
    )


def _kind(codec: TokenCodec, reference: Sequence[int]) -> str:
    text = codec.decode(reference, tags=True).strip()
    for tag in TAG_CHARACTERS:
        inside = text.removeprefix(opening_tag(tag)).removesuffix(closing_tag(tag))
        if len(inside) == len(text) - len(opening_tag(tag)) - len(closing_tag(tag)) and opening_tag(tag) not in inside:
            return tag
    return "text" if NumberFormat().read_answer(text) is None else "number"


def _judge_sequence(kind: str, answer: str | None, reference: str) -> tuple[bool, bool]:
    """Returns whether an answer is valid, and whether it is the reference."""
    if not answer:
        return False, False
    if kind != "smiles":
        is_valid = AMINO_ACIDS.issuperset(read_sequence(answer)) if kind == "protein" else True
        return is_valid, answer == reference
    molecule, wanted = None if has_white_space(answer) else parse_smiles(answer), parse_smiles(reference)
    if molecule is None or wanted is None:
        return molecule is not None, answer == reference
    return True, identity_of(molecule).equals(identity_of(wanted))


def _score_numbers(pairs: Sequence[tuple[str | None, str]]) -> dict[str, float]:
    read = NumberFormat().read_answer
    values = [(read(reference), read(answer or "")) for answer, reference in pairs]
    known = np.array([pair for pair in values if None not in pair], dtype=np.float64)
    error = rmse(known[:, 0], known[:, 1]) if len(known) else math.nan
    return {"rmse": error, "unparsed": 1 - len(known) / len(values)}


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)
