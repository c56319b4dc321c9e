from __future__ import annotations

import math
from pathlib import Path

import pytest
from nltk.translate.bleu_score import corpus_bleu

from scimind.errors import DataError
from scimind.evaluate.metrics.captions import score_captions
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling
from scimind.evaluate.resources.wordnet import find_wordnet, wordnet_version
from scimind.evaluate.resources.wordpiece import cut, tokenizer_of
from tests.support.tolerances import EXACT_SUM

PLAIN = Resampling(samples=0)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "molecule", "is", "sweet", "bitter", "odor", "##less", ".", "a"]


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n")
    return path


def items(*pairs):
    return [Item(str(number), output, reference) for number, (output, reference) in enumerate(pairs, 1)]


def values(findings):
    return {name: score.value for name, score in findings.scores.items()}


def test_scores_by_hand(vocabulary):
    # Output 4 of the reference's 4 words but for the last: 3 of 4 unigrams, 2 of 3 bigrams, no brevity penalty.
    found = values(
        score_captions(items(("the molecule is sweet", "the molecule is bitter")), PLAIN, vocabulary=vocabulary)
    )
    assert found["bleu2"] == pytest.approx(math.sqrt(3 / 4 * 2 / 3), abs=EXACT_SUM)
    assert found["bleu4"] == 0  # no 4-gram, and no smoothing
    assert found["rouge1"] == pytest.approx(3 / 4, abs=EXACT_SUM)
    assert found["rouge2"] == pytest.approx(2 / 3, abs=EXACT_SUM)
    assert found["rouge_l"] == pytest.approx(3 / 4, abs=EXACT_SUM)


def test_bleu_is_that_of_nltk_on_a_corpus():
    pairs = (
        ("the odor is sweet and mild .", "the odor is sweet ."),
        ("a bitter molecule", "a molecule that is bitter"),
    )
    found = values(score_captions(items(*pairs), PLAIN))
    tokenize = tokenizer_of(None)
    references, outputs = [[tokenize(right)] for _, right in pairs], [tokenize(ours) for ours, _ in pairs]
    for order in (2, 4):
        wanted = corpus_bleu(references, outputs, weights=[1 / order] * order)
        assert found[f"bleu{order}"] == pytest.approx(wanted, abs=EXACT_SUM)


def test_an_empty_output_scores_0_and_is_counted(vocabulary):
    findings = score_captions(items(("", "the molecule is sweet"), ("a", "a")), PLAIN, vocabulary=vocabulary)
    assert findings.counts["empty_outputs"] == 1
    assert findings.rows[0]["rouge1"] == 0
    # 1 of 1 unigram; the lengths are 1 and 5. An output without bigrams counts as one that does not match.
    assert values(findings)["rouge1"] == 0.5
    assert values(findings)["bleu2"] == 0


def test_scoring_without_a_vocabulary_is_noted(vocabulary):
    assert "cannot be compared" in score_captions(items(("a", "a")), PLAIN).settings["tokens"]
    assert str(vocabulary) in score_captions(items(("a", "a")), PLAIN, vocabulary=vocabulary).settings["tokens"]


def test_pieces_are_cut_at_512(vocabulary):
    assert tokenizer_of(str(vocabulary))("The odorless") == ["the", "odor", "##less"]
    assert cut(["a"] * 600) == ["a"] * 512
    assert cut(["[CLS]", "a", "[SEP]"]) == ["a"]
    long = " ".join(["a"] * 600)
    findings = score_captions(items((long, " ".join(["a"] * 512))), PLAIN, vocabulary=vocabulary)
    assert values(findings)["bleu4"] == 1  # the 88 after them are not counted
    assert findings.counts["cut_outputs"] == 1


def test_the_leading_mark_of_a_bert_decoder_is_dropped():
    assert values(score_captions(items(("[CLS] a sweet odor", "a sweet odor")), PLAIN))["rouge_l"] == 1


@pytest.mark.parametrize("reference", [None, "", "  "])
def test_a_bad_reference_is_an_error(reference):
    with pytest.raises(DataError, match="item 1"):
        score_captions(items(("a", reference)), PLAIN)


def test_meteor_knows_synonyms_and_stems():
    folder = find_wordnet()
    if folder is None:
        pytest.skip("no WordNet here; scimind[evaluate] brings it")
    assert wordnet_version(folder) == "3.0"
    # All three words match, "kid" as a synonym, "stops" by its stem; in one chunk, which costs 0.5 · (1/3)³.
    findings = score_captions(items(("red kid stops", "red child stop")), PLAIN, wordnet=folder)
    assert values(findings)["meteor"] == pytest.approx(1 - 0.5 / 27, abs=EXACT_SUM)
    # "bus" is not a synonym of it: 2 of 3, in two chunks; F is 2/3 and the penalty 0.5 · (2/2)³.
    findings = score_captions(items(("red bus stops", "red child stop")), PLAIN, wordnet=folder)
    assert values(findings)["meteor"] == pytest.approx(2 / 3 * 0.5, abs=EXACT_SUM)


def test_without_wordnet_meteor_is_not_computed():
    findings = score_captions(items(("a", "a")), PLAIN)
    assert "meteor" not in findings.scores
    assert "scimind[evaluate]" in findings.not_computed["meteor"]


def test_a_folder_without_wordnet_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"data\.noun is missing"):
        find_wordnet(tmp_path)


def test_a_file_that_is_not_a_vocabulary_is_an_error(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("a\nb\n")
    with pytest.raises(DataError, match=r"vocab\.txt: lacks \[UNK\]"):
        score_captions(items(("a", "a")), PLAIN, vocabulary=path)
    with pytest.raises(DataError, match="cannot be read"):
        score_captions(items(("a", "a")), PLAIN, vocabulary=Path("none.txt"))


def test_several_processes_give_the_same(vocabulary):
    many = items(*[("the molecule is sweet" if n % 3 else "a", "the molecule is bitter .") for n in range(320)])
    one, two = (score_captions(many, PLAIN, vocabulary=vocabulary, workers=workers) for workers in (1, 2))
    assert one.rows == two.rows
    assert values(one) == values(two)
