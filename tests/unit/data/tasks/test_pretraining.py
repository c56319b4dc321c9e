"""Pretraining takes its content from lists, tables, FASTQ and structures, by kind or by the name of the column."""

from __future__ import annotations

import pytest

from scimind.data.content.fields import FieldOptions
from scimind.data.formats.notes import FileNotes
from scimind.data.tasks.registry import find_task
from scimind.errors import DataError


def contents(path, label=None, columns=None):
    rows = find_task("pretrain").with_columns(columns or {}).rows(path, label, FileNotes(), FieldOptions())
    return [(row.values["kind"], row.values["content"]) for row in rows]


@pytest.mark.parametrize(
    ("name", "label", "content", "expected"),
    [
        ("a.csv", "smiles", "SMILES,SPLIT\nCCO,train\n", [("smiles", "CCO")]),
        ("a.csv", None, "id,canonical_smiles\n1,CCO\n", [("smiles", "CCO")]),
        ("a.tsv", None, "text\tyear\nOne, two.\t2020\n", [("text", "One, two.")]),
        ("a.txt", "smiles", "SMILES name\nCCO ethanol\n", [("smiles", "CCO")]),
        ("a.txt", None, "text, more text\nCCO\n", [("text", "text, more text"), ("text", "CCO")]),
        ("a.txt", None, "> a quotation\nand more words\n", [("text", "> a quotation"), ("text", "and more words")]),
        ("a.fq", None, "@r\nACGT\n+\nAAAA\n", [("dna", "ACGT")]),
        ("a.fq", "dna", "@r\nACGT\n+\nAAAA\n", [("dna", "ACGT")]),
        ("a.jsonl", None, '{"text": "One."}\n{"text": "Two."}\n', [("text", "One."), ("text", "Two.")]),
        ("a.json", None, '[{"text": "One.", "id": 1}]', [("text", "One.")]),
    ],
)
def test_contents(write, name, label, content, expected):
    assert contents(write(name, content), label) == expected


def test_a_table_that_may_be_several_things_is_refused(write):
    path = write("a.csv", "smiles,text\nCCO,Ethanol.\n")
    with pytest.raises(DataError, match=r"several columns may be trained on \(the columns are 'smiles', 'text'\)"):
        contents(path)
    assert contents(path, "smiles") == [("smiles", "CCO")]
    assert contents(path, None, {"content": "text"}) == [("text", "Ethanol.")]
    with pytest.raises(DataError, match=r"no column may be trained on \(the columns are 'a', 'b'\)"):
        contents(write("b.csv", "a,b\n1,2\n"))
