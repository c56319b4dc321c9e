r"""Prompts from every kind of file, and one-line errors with file, line and position."""

from __future__ import annotations

import json
import re

import pytest

from scimind.data.content.fields import FieldOptions
from scimind.data.encode.rendering import encode_prompt, render_prompt
from scimind.errors import DataError, SciMindError
from scimind.generate.prompt_files import check_prompts, read_prompts
from scimind.generate.prompts import encode_prompts, expand_line, plain_reference
from scimind.tokenizer import TokenCodec

CODEC = TokenCodec()
ETHANOL = "{|C|}{|C|}{|O|}"


def file_with(tmp_path, content, name="prompts.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def ids_of(path, task=None):
    return [list(prompt.ids) for prompt in encode_prompts(CODEC, read_prompts(path, task))]


def test_a_text_file_holds_rendered_prompts_and_questions(tmp_path):
    rendered = " [INST]: Please describe the molecule: {|C|}{|O|} [/INST]:"
    path = file_with(tmp_path, f"{rendered}\nWhat is <smiles>CO</smiles>?\n{rendered.strip()}\n{rendered}  \r\n")
    prompts = read_prompts(path)
    assert [prompt.id for prompt in prompts] == ["1", "2", "3", "4"]
    assert [prompt.text for prompt in prompts] == [
        rendered,
        " [INST]: What is <smiles>CO</smiles>? [/INST]:",
        rendered,
        rendered,
    ]
    assert ids_of(path)[0] == encode_prompt(CODEC, "Please describe the molecule: <smiles>CO</smiles>")


def test_every_line_counts_even_a_blank_one(tmp_path):
    path = file_with(tmp_path, "\nfirst\n\n  \nsecond\n\n")
    prompts = read_prompts(path)
    assert [prompt.text != "" for prompt in prompts] == [False, True, False, False, True, False]
    assert [prompt.line for prompt in prompts] == [1, 2, 3, 4, 5, 6]
    assert [len(ids) > 0 for ids in ids_of(path)] == [False, True, False, False, True, False]


def test_unicode_separators_do_not_break_a_line(tmp_path):
    path = file_with(tmp_path, "one\u2028two\x0bthree\nfour")
    assert len(read_prompts(path)) == 2


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (r"below:\nThe molecule", "below:\nThe molecule"),
        (r"<smiles>C/C=C\n1cccc1</smiles>\nis", "<smiles>C/C=C\\n1cccc1</smiles>\nis"),
        (r"<protein>M\nK</protein>", "<protein>M\\nK</protein>"),
        (r"{|\|}{|n|}\n{|C|}", "{|\\|}{|n|}\n{|C|}"),
        (r"{|\|}{|\|}{|C|}", r"{|\|}{|C|}"),
        (r"<smiles>C\\C</smiles> and \\n", "<smiles>C\\C</smiles> and \\\n"),
        (r"<smiles>C\nC and no end\n", "<smiles>C\nC and no end\n"),
        (r"\<smiles>C\nC</smiles>", "\\<smiles>C\nC</smiles>"),
        ("plain", "plain"),
    ],
)
def test_a_backslash_is_a_line_break_only_in_text(line, text):
    assert expand_line(line) == text


def test_molecules_and_descriptions_with_a_task(tmp_path):
    path = file_with(tmp_path, "CCO\n\nC/C=C\\n1cccc1\nC/C=C\\\\C\n<smiles>CCO</smiles>\n" + ETHANOL)
    prompts = read_prompts(path, "smiles2text")
    assert prompts[0].text == " [INST]: Please describe the molecule: <smiles>CCO</smiles> [/INST]:"
    assert prompts[1].text == ""
    assert "<smiles>C/C=C\\n1cccc1</smiles>" in prompts[2].text
    assert "<smiles>C/C=C\\C</smiles>" in prompts[3].text
    assert prompts[4].text == prompts[5].text == prompts[0].text
    assert ids_of(path, "smiles2text")[0] == CODEC.encode(render_prompt(f"Please describe the molecule: {ETHANOL}"))

    path = file_with(tmp_path, "It is an alcohol.\nIt is written {|C|}.\n")
    prompts = read_prompts(path, "text2smiles")
    assert prompts[0].text == render_prompt(
        "Please generate a SMILES chemical formula that matches the description below:\nIt is an alcohol."
    )
    assert "".join(CODEC.decode(ids) for ids in ids_of(path, "text2smiles")[1:]).endswith("{|C|}. [/INST]:")


def test_a_table_has_references_and_ids(tmp_path):
    path = file_with(tmp_path, "CID\tSMILES\tdescription\n702\tCCO\tIt is ethanol.\n9\tC/C=C\\\\C\tA butene.\n")
    prompts = read_prompts(path, "smiles2text")
    assert [(prompt.id, prompt.reference, prompt.line) for prompt in prompts] == [
        ("702", "It is ethanol.", 2),
        ("9", "A butene.", 3),
    ]
    assert [prompt.reference for prompt in read_prompts(path, "text2smiles")] == ["CCO", "C/C=C\\C"]
    path = file_with(tmp_path, "SMILES\nCCO\n")
    assert [(prompt.id, prompt.line) for prompt in read_prompts(path, "smiles2text")] == [("2", 2)]


def test_conversations_have_context_and_references(tmp_path):
    turns = [("human", "What is CCO?"), ("gpt", "Ethanol."), ("human", "And its\nSMILES?"), ("gpt", ETHANOL)]
    conversation = [{"from": speaker, "value": value} for speaker, value in turns]
    records = [{"id": "a", "conversation": conversation}, {"conversation": conversation[:3]}]
    for name, content in (
        ("x.json", json.dumps(records, indent=1)),
        ("x.jsonl", "\n\n".join(json.dumps(record) for record in records)),
    ):
        path = file_with(tmp_path, content, name)
        prompts = read_prompts(path)
        assert prompts[0].id == "a"
        assert [prompt.reference for prompt in prompts] == [ETHANOL, None]
        assert prompts[0].text == " [INST]: What is CCO? [/INST]: Ethanol.</s> [INST]: And its\nSMILES? [/INST]:"
        assert ids_of(path) == [encode_prompt(CODEC, [("What is CCO?", "Ethanol."), ("And its\nSMILES?", None)])] * 2
        assert encode_prompts(CODEC, prompts)[0].reference == "CCO"


def test_references_take_the_form_of_answers():
    assert plain_reference(CODEC, ETHANOL) == plain_reference(CODEC, "<smiles>CCO</smiles>") == "CCO"
    assert plain_reference(CODEC, "It is  an alcohol.") == "It is  an alcohol."
    assert plain_reference(CODEC, "<smiles>C?</smiles>") == "<smiles>C?</smiles>"


@pytest.mark.parametrize(
    ("name", "content", "task", "message"),
    [
        ("p.txt", "", None, "p.txt: the file is empty"),
        ("p.txt", " \n\n", None, "p.txt: the file is empty"),
        ("p.json", "[]", None, "p.json: the list is empty"),
        ("p.json", '[\n{"id": "1", "conversation": []},\n{"id": }]', None, r"p.json:3: broken JSON"),
        ("p.json", '[\n{"id": "1",\n "conversation": }\n]', None, r"p.json:3: broken JSON"),
        ("p.txt", "MKV\n", "protein_function", "p.txt: .*asks with instruction and input; give a table or JSON"),
        ("p.txt", "x\n", "pretrain", "task pretrain has no question to answer"),
        (
            "p.json",
            '[{"conversation": [{"from": "human", "value": "x"}], "prompt_answer_prefix": "C"}]',
            None,
            "p.json: prompt_answer_prefix is a column of tables, not a key of conversations; use --prefix",
        ),
    ],
)
def test_bad_files_are_one_line_errors(tmp_path, name, content, task, message):
    path = file_with(tmp_path, content, name)
    with pytest.raises(DataError, match=message) as caught:
        read_prompts(path, task)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "task", "faulty", "message"),
    [
        (
            "p.jsonl",
            '{"conversation": [{"from": "human", "value": "x"}]}\n{"id"\n',
            None,
            "p-2",
            "line 2: broken JSON",
        ),
        (
            "p.json",
            '[{"conversation": [{"from": "gpt", "value": "x"}]},\n{"conversation": [{"from": "human", "value": "x"}]}]',
            None,
            "p-1",
            "line 1: turn 1 is from gpt",
        ),
        ("p.txt", "ACGT\nACXT\n", "promoter", "2", "line 2: letter 'X' at position 2 is not valid in a dna sequence"),
        ("p.csv", "id,sequence,label\na,ACGT,maybe\nb,AC,1\n", "promoter", "a", "line 2: the label must be one of yes"),
        ("p.csv", "smiles,note\nCCO,x\nCCN\nCC,y\n", "smiles2text", "p-2", "line 3: the record has 1 columns"),
        ("p.csv", "id,smiles,note\na,CCO,x\nb,,y\n", "smiles2text", "b", "line 3: the molecule is empty"),
        ("p.txt", "ok\n[INST]: no end\n", None, "2", "line 2: has [INST] without"),
        ("p.txt", b"ok\n\xff\xfe\n", None, "2", "line 2: byte 0xff is not UTF-8"),
        ("p.txt", b"CCO\nC\xff\xfeC\xc3\xa4\n", "smiles2text", "2", "line 2: byte 0xff is not UTF-8"),
        ("p.txt", "CCO\nC1CC\n", "smiles2text", "2", "line 2: RDKit cannot parse the SMILES (not valid SMILES syntax)"),
        (
            "p.csv",
            "id,smiles\na,CCO\nb,C(C)(C)(C)(C)C\n",
            "moa",
            "b",
            "line 3: RDKit cannot parse the SMILES (impossible",
        ),
        ("p.txt", "C\n \n", "smiles2text", "2", "the prompt is empty"),
    ],
)
def test_a_row_that_cannot_be_asked_is_a_fault_and_the_others_are_encoded(
    tmp_path, name, content, task, faulty, message
):
    prompts = encode_prompts(CODEC, read_prompts(file_with(tmp_path, content, name), task))
    assert [prompt.id for prompt in prompts if prompt.fault] == [faulty]
    assert [prompt.fault for prompt in prompts if prompt.fault][0].startswith(message)
    assert all(bool(prompt.ids) != bool(prompt.fault) for prompt in prompts) and len(prompts) > 1


def test_a_faulty_row_keeps_its_reference(tmp_path):
    path = file_with(tmp_path, "id,smiles,caption\na,C1CC,A ring.\nb,,Nothing.\nc,CCO,Ethanol.\n", "p.csv")
    prompts = encode_prompts(CODEC, read_prompts(path, "smiles2text"))
    assert [(prompt.id, bool(prompt.fault), prompt.reference) for prompt in prompts] == [
        ("a", True, "A ring."),
        ("b", True, "Nothing."),
        ("c", False, "Ethanol."),
    ]
    assert "<smiles>C1CC</smiles>" in prompts[0].text and prompts[1].text == ""


def test_molecules_that_rdkit_refuses_are_asked_with_a_warning(tmp_path):
    prompts = read_prompts(file_with(tmp_path, "CCO\nC1CC\nCC?\n"), "smiles2text", FieldOptions("as-is"))
    good, odd, bad = encode_prompts(CODEC, prompts)
    assert good.ids and not good.warning and odd.ids and not odd.fault
    assert odd.warning.startswith("line 2: RDKit cannot parse") and "'C1CC'" in odd.warning
    assert "has no token" in bad.fault and not bad.ids


@pytest.mark.parametrize(
    ("content", "task", "message"),
    [
        ("id,smiles\n1,CCO\n2,CC\n1,CCN\n", "smiles2text", "p.csv:4: id '1' is already on line 2; make the ids unique"),
        ("smiles\nC1CC\nXX\n", "smiles2text", "p.csv: none of the 2 prompts can be asked; the first: line 2: RDKit"),
    ],
)
def test_useless_work_is_refused(tmp_path, content, task, message):
    path = file_with(tmp_path, content, "p.csv")
    prompts = encode_prompts(CODEC, read_prompts(path, task))
    with pytest.raises(DataError) as caught:
        check_prompts(prompts, path)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    check_prompts(
        [prompt for prompt in encode_prompts(CODEC, read_prompts(path, task, FieldOptions("as-is")))][:2], path
    )


def test_an_unknown_task_is_named(tmp_path):
    with pytest.raises(SciMindError, match="task .'smiles2protein'. must be one of smiles2text, text2smiles"):
        read_prompts(file_with(tmp_path, "CCO\n"), "smiles2protein")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_prompts(tmp_path / "none.txt")
    with pytest.raises(DataError, match="cannot be read"):
        read_prompts(tmp_path)


@pytest.mark.parametrize(
    ("content", "task", "line", "position"),
    [
        ("CCO\nCC?O\n", "smiles2text", 2, 2),
        ("CCO\n  CC?O\n", "smiles2text", 2, 4),
        ("\nWhat is <smiles>CC?</smiles>\n", None, 2, 18),
        (r"a\nb <smiles>CC?</smiles>", None, 1, 15),
        (" [INST]: <smiles>C?</smiles> [/INST]:", None, 1, 18),
        ("[INST]: <smiles>C?</smiles> [/INST]:", None, 1, 17),
        ("CID\tSMILES\tdescription\n1\tC?\tx\n", "smiles2text", 2, 1),
    ],
)
def test_an_unknown_character_is_named_with_line_and_position(tmp_path, content, task, line, position):
    path = file_with(tmp_path, content)
    prompts = read_prompts(path, task)
    fault = next(prompt.fault for prompt in encode_prompts(CODEC, prompts) if "token" in prompt.fault)
    assert re.match(rf"line {line}: character .* at position {position} has no token", fault)
    excerpt = fault[fault.rindex(": ") + 2 :].strip("'\"")
    assert excerpt in content.replace("\t", " ") and "</" not in fault and "\n" not in fault
    assert ("<smiles>" in fault) == ("outside the tag" in fault) == (task is None)


def test_an_unknown_character_in_a_conversation(tmp_path):
    record = {"conversation": [{"from": "human", "value": "What is <smiles>C?</smiles>"}]}
    path = file_with(tmp_path, "[\n" + json.dumps(record) + "]", "p.json")
    (prompt,) = encode_prompts(CODEC, read_prompts(path))
    assert prompt.fault.startswith("line 2: character '?' at position 17 has no token")


def test_a_position_in_a_record_of_several_fields_is_that_in_its_sequence(tmp_path):
    path = file_with(tmp_path, json.dumps([{"instruction": "What is it?", "input": "MK?V", "output": "x"}]), "p.json")
    (prompt,) = read_prompts(path, "protein_function")
    assert prompt.fault.startswith("line 1: letter '?' at position 2 is not valid in a protein sequence;")
    assert prompt.fault.endswith(": 'MK?V'")
    task = file_with(
        tmp_path,
        'name: mix\nquestion: "Is {a} soluble in {b}?"\nanswer: "{c}"\nfields:\n  a: {kind: smiles}\n'
        "  b: {kind: smiles}\n  c: {kind: text}\noutput: {kind: text}\n",
        "task.yaml",
    )
    (prompt,) = encode_prompts(CODEC, read_prompts(file_with(tmp_path, "a,b\nCCO,CC?N\n", "p.csv"), task))
    assert prompt.fault == "line 2: character '?' at position 2 has no token; correct the sequence: 'CC?N'"


@pytest.mark.parametrize(("policy", "shown"), [("split", "ACGTTGCA"), ("mask", "ACGTTGCA.AC")])
def test_ambiguous_bases_of_prompts(tmp_path, policy, shown):
    path = file_with(tmp_path, "ACGTTGCANAC\n", "p.txt")
    (prompt,) = read_prompts(path, "promoter", FieldOptions(ambiguous=policy))
    assert re.search(f"<dna>{shown}</dna>", prompt.text)


def test_an_answer_that_is_missing_is_not_a_reference(tmp_path):
    path = file_with(tmp_path, "smiles,mechanism\nCCO,NA\nCCN,agonist\n", "p.csv")
    assert [prompt.reference for prompt in read_prompts(path, "moa")] == [None, "agonist"]


def test_a_system_text_is_in_the_prompt_as_in_training(tmp_path):
    path, rendered = tmp_path / "a.json", tmp_path / "a.txt"
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    path.write_text(json.dumps([{"messages": [{"role": "system", "content": "Be brief."}, *messages]}]))
    (prompt,) = read_prompts(path)
    assert prompt.text == " [INST]: <<SYS>>\nBe brief.\n<</SYS>>\n\nq [/INST]:" and prompt.reference == "a"
    rendered.write_text(prompt.text.replace("\n", "\\n") + "\n")
    assert ids_of(path) == ids_of(rendered) == [encode_prompt(CODEC, "q", "Be brief.")] != [encode_prompt(CODEC, "q")]


def test_tags_of_other_projects_in_a_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Describe <SMILES> CO </SMILES>\n [INST]: Describe <SMILES> CO </SMILES> [/INST]:\n")
    assert ids_of(path) == [encode_prompt(CODEC, "Describe <smiles>CO</smiles>")] * 2
    path.write_text("<SMILES> CO </SMILES>\n<smiles>CO</smiles>\nCO\n")
    assert len({tuple(ids) for ids in ids_of(path, "smiles2text")}) == 1


def test_lines_of_selfies_are_molecules(tmp_path):
    pytest.importorskip("selfies")
    path, plain = tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_text("[O]\n[C][C][O]\n\n[C][=O]\n")
    plain.write_text("O\nCCO\n\nC=O\n")
    assert ids_of(path, "smiles2text") == ids_of(plain, "smiles2text")
    path.write_text("[C][=Foo]\n")
    (prompt,) = read_prompts(path, "smiles2text")
    assert prompt.fault.startswith("line 1: the SELFIES cannot be decoded")


def test_prompts_say_what_was_read_differently(tmp_path):
    pytest.importorskip("selfies")
    path = tmp_path / "a.txt"
    path.write_text("Describe <SMILES> CO </SMILES>\n<MOL>\nplain\n")
    assert [dict(prompt.readings) for prompt in read_prompts(path)] == [
        {"<SMILES> read as <smiles>": 1},
        {"<MOL> kept as text": 1},
        {},
    ]
    path.write_text("[C][O]\nCO\n")
    table = tmp_path / "a.csv"
    table.write_text("molecule,caption\n[C][O],x\nCO,\n")
    for file in (path, table):
        assert [dict(prompt.readings) for prompt in read_prompts(file, "smiles2text")] == [{"SELFIES decoded": 1}, {}]
