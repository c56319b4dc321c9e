"""What a preparation does with values that it repairs, refuses, or finds contradictory."""

import json
import re

import pytest

from scimind.data import find_task, prepare, read_conversations
from scimind.data.tasks.registry import load_task

GIVEN = {"seq_length": 120, "workers": 1, "card": False, "progress": False}
MASS = """
name: mass
question: "Is {molecule} heavy?"
answer: "{label}"
fields:
  molecule: {kind: smiles}
  label: {kind: label, columns: [heavy]}
output: {kind: choice, choices: ["yes", "no"]}
"""


def listed(folder, name):
    path = folder / f"{name}.rejects.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def answers(path):
    return [talk.rounds[-1].answer for talk in read_conversations(path)]


def test_repaired_molecules_are_listed_and_kept(codec, write, tmp_path):
    rows = ["[Pt]<-N,arrow", "CCO ethanol,name", "CCN,plain", "InChI=1S/CH4/h1H4,identifier"]
    path = write("t.csv", "molecule,caption\n" + "\n".join(rows) + "\n")
    summary = prepare("smiles2text", [path], tmp_path / "out", codec=codec, **GIVEN)
    assert summary.written == 4 and not any(summary.dropped.values())
    assert summary.kept == {"respelled molecule": 1, "text after a molecule": 1, "converted InChI": 1}
    assert [(entry["line"], entry["kept"]) for entry in listed(tmp_path / "out", "t")] == [
        (2, True),
        (3, True),
        (5, True),
    ]


def test_random_spellings_without_a_token_are_not_used(codec, write, tmp_path):
    path = write("t.csv", "molecule,caption\nN->[Pt],complex\nCCO,ethanol\n")
    summary = prepare("smiles2text", [path], tmp_path / "out", codec=codec, randomised=8, **GIVEN)
    assert set(answers(tmp_path / "out/t.json")) == {"complex", "ethanol"}
    assert not summary.defects and summary.written > 2
    text = (tmp_path / "out/t.json").read_text(encoding="utf-8")
    assert "<-" not in text.replace("</", "")


@pytest.mark.parametrize(
    ("rule", "left", "dropped"),
    [(None, ["no"], 2), ("drop", ["no"], 2), ("keep", ["yes", "no", "no"], 0), ("list", ["yes", "no", "no"], 0)]
    + [("first", ["yes", "no"], 1)],
)
def test_two_answers_about_a_molecule_are_a_contradiction(codec, write, tmp_path, rule, left, dropped):
    task = load_task(write("mass.yaml", MASS))
    path = write("t.csv", "molecule,heavy\nCCO,yes\nOCC,no\nC,NO\n")
    summary = prepare(task, [path], tmp_path / "out", codec=codec, on_conflict=rule, **GIVEN)
    assert answers(tmp_path / "out/t.json") == left
    assert (summary.contradictory, summary.dropped.get("conflict", 0)) == (2, dropped)
    assert summary.settings["on_conflict"] == {"mass": rule or "drop"}
    assert re.search("asked again with another answer +2", summary.table())


def test_free_text_may_answer_a_question_in_several_ways():
    assert find_task("protein_design").conflict_rule == "keep" and find_task("moa").conflict_rule == "list"


def test_choices_are_the_labels_of_a_field_without_labels(codec, write, tmp_path):
    task = load_task(write("mass.yaml", MASS))
    path = write("t.csv", "molecule,heavy\nCCO,Yes \nC,maybe\n")
    summary = prepare(task, [path], tmp_path / "out", codec=codec, **GIVEN)
    assert answers(tmp_path / "out/t.json") == ["yes"] and summary.defects == {"unknown label": 1}


@pytest.mark.parametrize(("policy", "written"), [("drop", 1), ("split", 3), ("mask", 3)])
def test_ambiguous_bases(codec, write, tmp_path, policy, written):
    bases = "ACGTTGCATT" * 4
    rows = [f"{bases}N{bases}A,1.0", f"{bases}R,0.0", f"{bases}GG,0.0"]
    path = write("t.csv", "sequence,label\n" + "\n".join(rows) + "\n")
    summary = prepare("promoter", [path], tmp_path / "out", codec=codec, ambiguous=policy, **GIVEN)
    entries = listed(tmp_path / "out", "t")
    assert summary.written == written and len(entries) == 2
    assert [entry.get("kept", False) for entry in entries] == [policy != "drop"] * 2
    assert summary.settings["ambiguous"] == policy


def test_a_positive_with_ambiguous_bases_has_a_negative(codec, write, tmp_path):
    path = write("p.txt", "ACGTTGCATTN" * 3 + "\n")
    summary = prepare("promoter", [path], tmp_path / "out", codec=codec, ambiguous="mask", **GIVEN)
    assert answers(tmp_path / "out/p.json") == ["yes", "no"] and summary.written == 2


def test_pretraining_on_the_stretches_of_a_sequence(codec, write, tmp_path):
    first, second = "ACGTTGCATT" * 3, "TTGACCAGTA" * 3
    path = write("g.fa", f">a\n{first}NNNNN{second}NACG\n>b\nMKTAYIAKQRQISFVKSHFSRQ\n>c\nACGUUGNNAC\n")
    summary = prepare("pretrain", [path], tmp_path / "out", codec=codec, ambiguous="split", on_bad="skip", **GIVEN)
    texts = [record["text"] for record in json.loads((tmp_path / "out/g.json").read_text(encoding="utf-8"))]
    protein = "<protein>MKTAYIAKQRQISFVKSHFSRQ</protein>"
    assert texts == [f"<dna>{first}</dna>", f"<dna>{second}</dna>", protein, "<rna>ACGUUG</rna>"]
    # The twin: without the option, DNA with N is refused, and is not taken for a protein.
    summary = prepare("pretrain", [path], tmp_path / "twin", codec=codec, **GIVEN)
    assert summary.written == 1 and summary.defects == {"foreign letter": 2}
