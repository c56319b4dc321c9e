"""Prompts from tables and lists: by column without a task, with names as ids with one; text stays text."""

from __future__ import annotations

import pytest

from scimind.data.formats.notes import FileNotes
from scimind.errors import DataError
from scimind.generate.prompt_files import read_prompts


def found(tmp_path, name, content, task=None, **given):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return [(prompt.id, prompt.text, prompt.reference) for prompt in read_prompts(path, task, **given)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'id,prompt\nq1,"Is it so, or not?"\n'),
        ("a.txt", "question\tid\nIs it so, or not?\tq1\n"),
        ("a.json", '[{"id": "q1", "input": "Is it so, or not?"}]'),
        ("a.jsonl", '{"id": "q1", "text": "Is it so, or not?"}'),
    ],
)
def test_a_column_of_prompts_needs_no_task(tmp_path, name, content):
    assert found(tmp_path, name, content) == [("q1", " [INST]: Is it so, or not? [/INST]:", None)]


def test_text_with_commas_stays_text(tmp_path):
    lines = ["What is a prompt, please?", "", "> Text, and a question.", "smiles, or not?"]
    assert [text for _, text, _ in found(tmp_path, "a.txt", "\n".join(lines))] == [
        f" [INST]: {line} [/INST]:" if line else "" for line in lines
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_another_table_is_refused_without_a_task(tmp_path, name):
    with pytest.raises(DataError, match=r"a table needs --task, or --columns prompt=NAME.*'smiles', 'caption'"):
        found(tmp_path, name, "smiles\tcaption\nCCO\tEthanol.\n")
    chosen = {"prompt": "caption", "reference": "smiles"}
    assert found(tmp_path, name, "smiles\tcaption\nCCO\tWhat?\n", columns=chosen)[0][1:] == (
        " [INST]: What? [/INST]:",
        "CCO",
    )


def test_names_after_smiles_are_ids(tmp_path):
    notes = FileNotes()
    asked = " [INST]: Please describe the molecule: <smiles>{}</smiles> [/INST]:"
    expected = [("ethanol", asked.format("CCO"), None), ("ethylamine", asked.format("CCN"), None)]
    assert found(tmp_path, "a.smi", "CCO ethanol\nCCN\tethylamine\n", "smiles2text", notes=notes) == expected
    assert notes.format == "SMILES list"
    assert found(tmp_path, "b.smi", "SMILES Name\nCCO ethanol\nCCN\tethylamine\n", "smiles2text") == expected
    assert found(tmp_path, "a.txt", "CCO ethanol\nCCN ethylamine\n", "smiles2text") == expected


def test_descriptions_with_commas_are_lines(tmp_path):
    text = "An alcohol, small.\nSmall; clear, thin.\n"
    assert len(found(tmp_path, "a.txt", text, "text2smiles")) == 2
    with pytest.raises(DataError, match="no column for the description"):
        found(tmp_path, "a.csv", text, "text2smiles")
    with pytest.raises(DataError, match="no column for the molecule"):
        found(tmp_path, "a.txt", "CCO,12\nCCN,13\n", "smiles2text")
