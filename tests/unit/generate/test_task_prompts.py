"""Prompts of every task from the files that users have: lists, tables, FASTA, raw JSON, conversations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scimind.data import find_task, prepare
from scimind.data.encode.rendering import render_prompt
from scimind.errors import DataError
from scimind.generate.prompt_files import read_prompts
from scimind.generate.prompts import Prompt, encode_prompts
from scimind.tokenizer import TokenCodec

CODEC = TokenCodec()
ASKED = " [INST]: Is the following DNA sequence a promoter? <dna>ACGTAC</dna> [/INST]:"


def file_with(tmp_path: Path, content: str, name: str = "x.txt") -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def found(path: Path, task: str) -> list[tuple[str, str | None]]:
    prompts = read_prompts(path, task)
    assert not any(prompt.fault for prompt in encode_prompts(CODEC, prompts))
    return [(prompt.text, prompt.reference) for prompt in prompts]


@pytest.mark.parametrize(
    ("name", "content", "references"),
    [
        ("list.txt", "ACGTAC\nacgtac\n<dna>ACGTAC</dna>\n", [None] * 3),
        ("headed.txt", "sequence\nACGTAC\n", [None]),
        ("table.csv", "label,sequence\n1,ACGTAC\nno,ACGTAC\n", ["yes", "no"]),
        ("unlabelled.csv", "sequence,note\nACGTAC,x\n", [None]),
        ("kmers.tsv", "sequence\tlabel\nACG CGT GTA TAC\t0\n", ["no"]),
        ("pair.fa", ">one\nACG\nTAC\n>two\nACGTAC\n", [None] * 2),
        ("x.json", '[{"sequence": "ACGTAC", "label": 1}, {"sequence": "ACGTAC"}]', ["yes", None]),
    ],
)
def test_promoters_in_every_form(tmp_path: Path, name: str, content: str, references: list[str | None]) -> None:
    assert found(file_with(tmp_path, content, name), "promoter") == [(ASKED, reference) for reference in references]


def test_blank_lines_keep_their_place(tmp_path: Path) -> None:
    prompts = read_prompts(file_with(tmp_path, "ACGT\n\nGGGG\n"), "promoter")
    assert [(prompt.id, bool(prompt.text)) for prompt in prompts] == [("1", True), ("2", False), ("3", True)]


def test_mol_instructions_as_they_are_published(tmp_path: Path) -> None:
    record = {"instruction": "What does it do?", "input": "```\nMKV\n```", "output": "It binds {|C|}.", "metadata": {}}
    path = file_with(tmp_path, json.dumps([record, record | {"output": ""}]), "function.json")
    question = " [INST]: What does it do?\n<protein>MKV</protein> [/INST]:"
    prompts = read_prompts(path, "protein_function")
    assert [prompt.text for prompt in prompts] == [question, question]
    encoded = encode_prompts(CODEC, prompts)
    assert [prompt.reference for prompt in encoded] == ["It binds {|C|}.", None]
    design = {"instruction": "Design a kinase.", "input": "", "output": "```\nMKV\n```"}
    path = file_with(tmp_path, json.dumps([design]), "design.json")
    assert found(path, "protein_design") == [(" [INST]: Design a kinase. [/INST]:", "MKV")]
    assert found(file_with(tmp_path, "Design a kinase.\n"), "protein_design")[0][0].startswith(" [INST]: Design")


def test_a_table_without_a_header_has_the_fields_of_the_task(tmp_path: Path) -> None:
    path = file_with(tmp_path, "CCO\t{'b', 'a'}\n")
    asked = "Please list the properties of the molecule: <smiles>CCO</smiles>"
    assert found(path, "smiles2properties") == [(render_prompt(asked), "a, b")]
    assert found(path, "properties2smiles")[0][1] == "CCO"


@pytest.mark.parametrize("task", ["smiles2text", "text2smiles", "promoter", "protein_function", "moa"])
def test_prompts_of_raw_records_equal_the_prepared_ones(tmp_path: Path, task: str) -> None:
    columns = {
        "smiles2text": {"molecule": "C/C=C\\C", "caption": "A butene, not <smiles>."},
        "text2smiles": {"molecule": "C/C=C\\C", "caption": "A butene, not <smiles>."},
        "promoter": {"sequence": "ACGTACGT", "label": "1"},
        "protein_function": {"instruction": "Say\nit.", "input": "MKV", "output": "A protein."},
        "moa": {"smiles": "CCO", "mechanism": "Inhibits all."},
    }
    path = file_with(tmp_path, json.dumps([columns[task]]), "raw.json")
    prepare(task, [path], tmp_path / "out", codec=CODEC, seq_length=256, name="x", progress=False)
    raw = encode_prompts(CODEC, read_prompts(path, task))
    prepared = tmp_path / "out" / "x.json"
    written = encode_prompts(CODEC, read_prompts(prepared, task))
    assert [(p.text, p.ids, p.reference) for p in raw] == [(p.text, p.ids, p.reference) for p in written]
    assert raw[0].reference


PREFIX = "Please describe the molecule: "


@pytest.mark.parametrize(
    "line",
    [
        "CCO",
        f" [INST]: {PREFIX}<smiles>CCO</smiles> [/INST]:",
        f"[INST]: {PREFIX}{{|C|}}{{|C|}}{{|O|}} [/INST]:",
        f"<s> [INST]: {PREFIX}<smiles>CCO</smiles> [/INST]:",
        f"{PREFIX}<smiles>CCO</smiles>",
        f"{PREFIX}CCO",
    ],
)
@pytest.mark.parametrize("name", ["x.txt", "x.csv"])
def test_a_whole_question_is_not_put_into_another(tmp_path: Path, name: str, line: str) -> None:
    content = f"{line}\n" if name == "x.txt" else f"note,smiles\nn,{line}\n"
    (prompt,) = read_prompts(file_with(tmp_path, content, name), "smiles2text")
    assert prompt.is_whole == (line != "CCO")
    (encoded,) = encode_prompts(CODEC, [prompt])
    assert list(encoded.ids) == CODEC.encode(f" [INST]: {PREFIX}<smiles>CCO</smiles> [/INST]:")


@pytest.mark.parametrize("line", [f"[INST]: {PREFIX}C1CC [/INST]:", f"{PREFIX}C1CC", "C1CC"])
def test_the_molecule_in_a_whole_question_is_checked_too(tmp_path: Path, line: str) -> None:
    good, bad = read_prompts(file_with(tmp_path, f"CCO\n{line}\n"), "smiles2text")
    assert not good.fault and bad.fault.startswith("line 2: RDKit cannot parse the SMILES") and "'C1CC'" in bad.fault


def test_questions_of_text_are_taken_as_they_are(tmp_path: Path) -> None:
    asked = "Please generate a SMILES chemical formula that matches the description below:\nNot \\<smiles>."
    lines = [asked.replace("\n", "\\n"), render_prompt(asked).replace("\n", "\\n"), "[INST]: Who? [/INST]:", "Who?"]
    whole, rendered, other, bare = read_prompts(file_with(tmp_path, "\n".join(lines)), "text2smiles")
    assert whole.text == rendered.text == render_prompt(asked)
    assert other.text == render_prompt("Who?") and other.is_whole
    assert bare.text.endswith("below:\nWho? [/INST]:") and not bare.is_whole


def test_rendered_prompts_of_a_task_with_several_fields(tmp_path: Path) -> None:
    path = file_with(tmp_path, "[INST]: Say it.\\n<protein>MKV</protein> [/INST]:\n")
    assert found(path, "protein_function") == [(" [INST]: Say it.\n<protein>MKV</protein> [/INST]:", None)]
    with pytest.raises(DataError, match="asks with instruction and input"):
        read_prompts(file_with(tmp_path, "[INST]: Who? [/INST]:\nMKV\n"), "protein_function")


def test_a_users_task(tmp_path: Path) -> None:
    task = file_with(
        tmp_path,
        'name: solubility\nquestion: "Does {molecule} dissolve in {solvent}? Say {choices}."\nanswer: "{label}"\n'
        "fields:\n  molecule: {kind: smiles, columns: [smiles]}\n  solvent: {kind: text, columns: [solvent]}\n"
        '  label: {kind: label, columns: [soluble], labels: {"yes": ["1"], "no": ["0"]}}\n'
        'output: {kind: choice, choices: ["yes", "no"]}\n',
        "task.yaml",
    )
    path = file_with(tmp_path, "smiles,solvent,soluble\nCCO,water,1\n", "x.csv")
    asked = "Does <smiles>CCO</smiles> dissolve in water? Say yes, no."
    assert found(path, str(task)) == [(render_prompt(asked), "yes")]


def test_the_place_of_a_field_in_its_question() -> None:
    for name, given in (("smiles2text", "CCO"), ("text2smiles", "An alcohol"), ("promoter", "ACGT"), ("moa", "CC")):
        task = find_task(name)
        spec = task.asked_fields[0]
        question = task.ask(**{spec.name: given})
        assert question[task.place_of(spec.name) :].startswith(given)


def test_conversations_with_the_task_conversation(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "I."}]
    path = file_with(tmp_path, json.dumps([{"id": "a", "conversation": turns}]), "x.json")
    assert read_prompts(path, "conversation") == read_prompts(path)
    assert isinstance(read_prompts(path)[0], Prompt)


def test_conversations_of_other_forms_are_found_with_a_task(tmp_path):
    path = tmp_path / "a.json"
    turns = [{"role": "user", "content": "Give ethanol."}, {"role": "assistant", "content": "<SMILES> CCO </SMILES>"}]
    path.write_text(json.dumps([{"messages": turns}]))
    assert found(path, "text2smiles") == [(render_prompt("Give ethanol."), "CCO")]
