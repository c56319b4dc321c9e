"""What the scores of generated answers measure, checked by hand."""

from __future__ import annotations

import math

import pytest

from scimind.generate.batch import Generated
from scimind.tokenizer import TokenCodec
from scimind.train.answers.questions import Question
from scimind.train.answers.scores import describe_scores, kinds_of, score_answers


@pytest.fixture(scope="module")
def codec() -> TokenCodec:
    return TokenCodec()


def encode(codec: TokenCodec, text: str) -> list[int]:
    return codec.encode(text, bos=False)


def score(codec: TokenCodec, *pairs: tuple[str, str], cut: int = 0) -> tuple[list[str], dict[str, float]]:
    """Returns kinds and scores of pairs of reference and answer, of which the first `cut` did not end."""
    questions = [Question((1,), tuple(encode(codec, reference)), True) for reference, _ in pairs]
    answers = [
        Generated(encode(codec, answer), "length" if number < cut else "stop")
        for number, (_, answer) in enumerate(pairs)
    ]
    kinds = kinds_of(codec, questions)
    return kinds, score_answers(codec, questions, kinds, answers)


def test_molecules_are_valid_and_exact_by_their_structure(codec: TokenCodec) -> None:
    kinds, scores = score(
        codec,
        ("<smiles>CCO</smiles>", "<smiles>OCC</smiles>"),  # the same molecule
        ("<smiles>CCO</smiles>", "<smiles>CCN</smiles>"),  # another one
        ("<smiles>CCO</smiles>", "<smiles>CC(</smiles>"),  # none
        ("<smiles>CCO</smiles>", "ethanol"),  # no molecule among the tokens
        cut=1,
    )
    assert set(kinds) == {"smiles"}
    assert scores == {"valid": 0.5, "exact": 0.25, "cut": 0.25}


def test_other_sequences_are_told_by_their_tokens(codec: TokenCodec) -> None:
    kinds, scores = score(
        codec,
        ("<protein>MKV</protein>", "<protein>MKV</protein>"),
        ("<dna>ACGT</dna>", "<dna>ACGA</dna>"),
        ("<rna>ACGU</rna>", "a text"),
    )
    assert kinds == ["protein", "dna", "rna"]
    assert scores == pytest.approx({"valid": 2 / 3, "exact": 1 / 3, "cut": 0.0})


def test_numbers_have_an_error_and_a_share_that_is_none(codec: TokenCodec) -> None:
    kinds, scores = score(codec, ("1.00", "2.00"), ("-3.50", "-3.50"), ("2.25", "two"), ("0.10", "1.10"))
    assert set(kinds) == {"number"}
    assert scores == pytest.approx({"rmse": math.sqrt(2 / 3), "unparsed": 0.25, "cut": 0.0})


def test_an_error_of_no_number_is_left_out(codec: TokenCodec) -> None:
    _, scores = score(codec, ("1.00", "none"), ("2.00", "none"), ("3.00", "none"))
    assert scores == {"unparsed": 1.0, "cut": 0.0}
    assert describe_scores(scores) == "100 % not a number, 0 % cut off"


@pytest.mark.parametrize(("first", "second"), [("yes", "no"), ("1", "0")])
def test_a_few_texts_that_recur_are_labels(codec: TokenCodec, first: str, second: str) -> None:
    kinds, scores = score(codec, *[(first, first.upper()), (second, first)] * 6)
    assert set(kinds) == {"label"}
    assert scores == {"accuracy": 0.5, "cut": 0.0}


def test_texts_have_bleu(codec: TokenCodec) -> None:
    references = [f"the molecule number {number} is a solvent" for number in range(12)]
    kinds, same = score(codec, *[(text, text) for text in references])
    assert set(kinds) == {"text"} and same == {"bleu2": pytest.approx(1.0), "cut": 0.0}
    _, other = score(codec, *[(text, "an unrelated answer") for text in references])
    assert other["bleu2"] == 0.0


def test_each_kind_of_a_mixture_has_its_scores(codec: TokenCodec) -> None:
    kinds, scores = score(codec, ("<smiles>CCO</smiles>", "<smiles>CCO</smiles>"), ("a solvent", "a solvent"))
    assert kinds == ["smiles", "text"]
    assert list(scores) == ["valid", "exact", "bleu2", "cut"]
    assert describe_scores(scores) == "100 % valid, 100 % exact, BLEU-2 1.000, 0 % cut off"
