"""Property scores, against a plain reading of the published rules."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from scimind.errors import DataError
from scimind.evaluate.lpm24.properties import Lexicon
from scimind.evaluate.lpm24.property_tables import _combinations, read_property_tables
from scimind.evaluate.metrics.captions import score_captions
from scimind.evaluate.predictions import Item
from scimind.evaluate.resampling import Resampling
from scimind.evaluate.resources.wordpiece import tokenizer_of
from tests.support.shared import shared_file
from tests.support.tolerances import EXACT_SUM

PLAIN = Resampling(samples=0)
PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "a",
    "sweet",
    "bitter",
    "taste",
    "toxic",
    "glow",
    "anti",
    "viral",
    "and",
    "is",
]


@pytest.fixture
def files(tmp_path):
    tree = {"Senses": [{"tastes": ["sweet", "bitter taste"]}, "toxic"], "Light": [{"lights": ["glow"]}]}
    paths = {name: tmp_path / name for name in ("tree.json", "combos.txt", "vocab.txt")}
    paths["tree.json"].write_text(json.dumps(tree))
    paths["combos.txt"].write_text("('sweet', 'toxic')\t3\n('Senses__bitter taste', 'glow')\t1\n")
    paths["vocab.txt"].write_text("\n".join(PIECES) + "\n")
    return paths


def scored(files, *pairs):
    tables = read_property_tables(files["tree.json"], files["combos.txt"])
    rows = [Item(str(n), output, reference) for n, (output, reference) in enumerate(pairs, 1)]
    return score_captions(rows, PLAIN, vocabulary=files["vocab.txt"], tables=tables)


def test_the_tokens_of_a_name_are_consecutive():
    lexicon = Lexicon(["sweet", "bitter taste", "taste"], str.split)
    assert lexicon.find(["a", "bitter", "sweet", "taste"]) == [0, 2]
    assert lexicon.find(["a", "bitter", "taste"]) == [1, 2]
    assert lexicon.find([]) == []


def test_scores_by_hand(files):
    # sweet: right once, missed once -> precision 1, recall 1/2, F1 2/3. bitter taste: wrong once -> 0, -, 0.
    # toxic: right once -> 1, 1, 1. glow: never named -> none of the three.
    found = scored(files, ("sweet and toxic", "Sweet and toxic"), ("a bitter taste", "a sweet taste"))
    value = {name: score.value for name, score in found.scores.items()}
    tastes = {"property_precision": (1 + 0) / 2, "property_recall": 1 / 2, "property_f1": (2 / 3 + 0) / 2}
    for name, score in tastes.items():
        senses = (score + 1) / 2
        assert value[name] == pytest.approx(senses, abs=EXACT_SUM)  # of one category, since Light has no score
        # The script takes 1 for the group without a score, and its mean with the other category.
        assert found.protocol_values[name] == pytest.approx((senses + 1) / 2, abs=EXACT_SUM)
    assert found.details["properties"]["Senses__tastes"]["f1"] == pytest.approx(1 / 3, abs=EXACT_SUM)
    assert np.isnan(found.details["properties"]["Light"]["f1"])
    assert (value["withheld_precision"], value["withheld_recall"], value["withheld_f1"]) == (1, 1, 1)


def test_withheld_combinations_by_hand(files):
    found = scored(
        files,
        ("sweet and toxic", "sweet and toxic"),  # right
        ("sweet", "sweet and toxic"),  # missed
        ("glow is a bitter taste", "glow"),  # wrong
        ("glow and toxic", "glow and sweet"),  # no combination
    )
    value = {name: score.value for name, score in found.scores.items()}
    assert (value["withheld_precision"], value["withheld_recall"], value["withheld_f1"]) == (0.5, 0.5, 0.5)


def contains(small, big):
    return any(big[start : start + len(small)] == small for start in range(len(big) - len(small) + 1))


def test_agrees_with_a_plain_reading_on_l_m_24s_example():
    tables = read_property_tables(
        shared_file("data/lpm24/nested_props.json"), shared_file("data/lpm24/withheld_combos.txt")
    )
    vocabulary = shared_file("data/scibert_vocab/vocab.txt")
    with open(shared_file("data/lpm24/smiles2caption_example.txt"), encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[:40]
    items = [Item(str(n), row["output"], row["ground truth"]) for n, row in enumerate(rows)]
    found = score_captions(items, PLAIN, vocabulary=vocabulary, tables=tables)
    tokenize = tokenizer_of(str(vocabulary))
    texts = [(tokenize(row["ground truth"].lower()), tokenize(row["output"].lower())) for row in rows]
    f1 = {}
    for leaf in tables.leaves:
        name = tokenize(leaf.split("__")[-1].lower())
        marks = [(contains(name, right), contains(name, ours)) for right, ours in texts]
        both, either = sum(a and b for a, b in marks), sum(a + b for a, b in marks)
        f1[leaf] = 2 * both / either if either else None

    def mean(prefix, depth):
        children = sorted({leaf.split("__")[depth] for leaf in f1 if leaf.startswith(prefix)})
        values = []
        for child in children:
            full = prefix + child
            values.append(f1[full] if full in f1 else mean(full + "__", depth + 1))
        values = [value for value in values if value is not None]
        return np.mean(values) if values else 1.0

    wanted = np.mean([mean(category + "__", 1) for category in sorted({leaf.split("__")[0] for leaf in f1})])
    protocol = found.protocol_values.get("property_f1", found.scores["property_f1"].value)
    assert protocol == pytest.approx(wanted, abs=EXACT_SUM)
    # The score is neither 0 nor 1, so that it depends on the names that are found.
    assert wanted not in (0, 1)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("tree.json", "[]", "is not a JSON object"),
        ("tree.json", '{"a": ["b", 3]}', "neither a name nor a group"),
        ("tree.json", "{", "not JSON"),
        ("combos.txt", "('a', 'b')\n('a')\n", "combos.txt:2: not a pair"),
        ("combos.txt", "__import__('os')\n", "combos.txt:1: not a pair"),
    ],
)
def test_broken_tables_are_errors(files, name, text, match):
    files[name].write_text(text)
    with pytest.raises(DataError, match=match):
        read_property_tables(files["tree.json"], files["combos.txt"])


def test_missing_files_are_named(files):
    tables = read_property_tables(files["tree.json"], None)
    rows = [Item("1", "sweet", "sweet")]
    assert "--wordpiece_vocab" in score_captions(rows, PLAIN, tables=tables).not_computed["property_f1"]
    assert "--properties" in score_captions(rows, PLAIN).not_computed["property_f1"]


@pytest.mark.parametrize("line", ["(" * 5000, "- " * 100_000 + "1", "('a', 'b', 'c')"])
def test_a_line_that_is_no_pair_is_reported(tmp_path, line):
    (tmp_path / "combos.txt").write_text(f"('bitter', 'sweet')\n{line}\n")
    with pytest.raises(DataError, match="not a pair of names") as caught:
        list(_combinations(tmp_path / "combos.txt"))
    assert caught.value.line == 2
