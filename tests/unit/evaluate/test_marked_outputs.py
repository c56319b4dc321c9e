"""Outputs in tags, quotes and forms are scored without them; text around a molecule is counted, or left out."""

from __future__ import annotations

import json

import pytest

from scimind.cli import main
from scimind.data.tasks.outputs import read_sequence, read_text, read_whole
from scimind.errors import DataError, SciMindError
from scimind.evaluate.marked_outputs import check_sequences, read_marked
from scimind.evaluate.predictions import Item

MARKED = [
    "<smiles>CCO</smiles>",
    "<SMILES> CCO </SMILES>",
    '"CCO"',
    "`CCO`",
    "```CCO```",
    "“CCO”",
    "{|C|}{|C|}{|O|}",
    "CCO</s>",
]
BARE = [
    "CCO",
    " CCO",
    "CCO ",
    "not a molecule",
    "",
    "C C",
    '"a b"',
    "C'",
    "[C][C]",
    "<dna>A</dna>",
    "CCO <smiles>C</smiles>",
]


@pytest.mark.parametrize("text", MARKED)
def test_marks_around_a_whole_output_are_not_scored(text):
    assert read_whole(text, "smiles") == "CCO" == read_sequence(text.removesuffix("</s>"), "smiles")


@pytest.mark.parametrize("text", BARE)
def test_bare_outputs_are_scored_as_they_are(text):
    assert read_whole(text, "smiles") == text


def test_other_sequences_and_texts():
    assert read_whole("<PROTEIN> MKV </PROTEIN>", "protein") == read_whole("<|M|><|K|><|V|>", "protein") == "MKV"
    assert read_text("<BOOLEAN> Yes </BOOLEAN>") == "Yes"
    assert read_text("It is <BOOLEAN> Yes </BOOLEAN>") == "It is <BOOLEAN> Yes </BOOLEAN>"
    assert read_text("<NUMBER> 1 </NUMBER> or <NUMBER> 2 </NUMBER>") != "1"


def items(*outputs, reference="CCO"):
    return [Item(str(number), output, reference) for number, output in enumerate(outputs, start=1)]


def test_a_molecule_among_other_text_is_counted_or_extracted():
    given = items(
        "The molecule is CCO.", "It is <smiles>CCN</smiles>!", "I do not know", "CCO", "[C][=O]", reference='"C"'
    )
    read, counts = read_marked(given, "molecules", extract=False)
    assert [item.output for item in read] == [item.output for item in given]
    assert [item.reference for item in read] == ["C"] * 5
    among = "outputs_with_molecules_among_other_text"
    assert {name: count for name, count in counts.items() if count} == {
        among: 2,
        "outputs_that_are_SELFIES": 1,
        "references_read_without_marks": 5,
    }
    pytest.importorskip("selfies")
    read, counts = read_marked(given, "molecules", extract=True)
    assert [item.output for item in read] == ["CCO", "CCN", "I do not know", "CCO", "C=O"]
    assert counts["molecules_extracted_from_text"] == 2 and among not in counts


def test_only_sequences_can_be_extracted():
    with pytest.raises(SciMindError, match="--extract works with molecules, reactions or proteins, not with captions"):
        read_marked(items("x"), "captions", extract=True)


SENTENCES = ["The molecule is an alcohol.", "It is a salt of sodium.", "This molecule has a ring."]


def test_sentences_scored_as_molecules_are_a_mistake(tmp_path, capsys):
    path, right = tmp_path / "x.txt", tmp_path / "y.txt"
    right.write_text("CCO\n" * 4)
    command = ["evaluate", "--task", "text2smiles", "--predictions", str(path), "--references", str(right)]
    path.write_text("\n".join([*SENTENCES, "xyz"]) + "\n")
    assert main([*command, "--bootstrap", "0"]) == 2
    assert "none of the 4 outputs is a molecule, and 3 are sentences" in capsys.readouterr().err
    path.write_text("\n".join([*SENTENCES, "CCO"]) + "\n")
    assert main([*command, "--bootstrap", "0", "--workers", "1"]) == 0


@pytest.mark.parametrize("outputs", [["xyz", "", "C(("], ["foo bar baz qux"] * 3, [*SENTENCES[:1], "x", "y"], []])
def test_a_bad_model_is_not_a_mistake(outputs, tmp_path):
    check_sequences(items(*outputs), "molecules", tmp_path)


def test_sentences_scored_as_proteins_are_a_mistake(tmp_path):
    with pytest.raises(DataError, match="none of the 3 outputs is a protein, and 3 are sentences"):
        check_sequences(items(*SENTENCES), "proteins", tmp_path)
    for one in ("MKTAYIAK", "MKT AYI AK", "mktayiak"):
        check_sequences(items(*SENTENCES, one), "proteins", tmp_path)
    check_sequences(items(*SENTENCES), "captions", tmp_path)


def test_scores_of_marked_outputs_are_those_of_bare_ones(tmp_path, capsys):
    values, right = [], tmp_path / "y.txt"
    right.write_text("CCO\nCCN\n")
    for name, lines in {
        "bare": ["CCO", "CCC"],
        "marked": ["<SMILES> CCO </SMILES>", '"CCC"'],
        "other": ["CCO", "CCN"],
    }.items():
        path, metrics, rows = tmp_path / f"{name}.txt", tmp_path / f"{name}.json", tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(lines) + "\n")
        files = ["--predictions", str(path), "--references", str(right), "--output", str(metrics), "--items", str(rows)]
        assert main(["evaluate", "--task", "text2smiles", *files, "--bootstrap", "0", "--workers", "1"]) == 0
        values.append(json.loads(metrics.read_text())["metrics"])
    assert values[0] == values[1] != values[2]
    row = json.loads((tmp_path / "marked.jsonl").read_text().splitlines()[0])
    assert (row["output"], row["read"]) == ("<SMILES> CCO </SMILES>", "CCO")
    assert "read" not in json.loads((tmp_path / "bare.jsonl").read_text().splitlines()[0])
    assert "2 outputs read without marks" in capsys.readouterr().out
