"""Every form of input gives the same conversations, and every fault is reported with its file and line."""

import json

import pytest

from scimind.data import Conversation, Round, read_conversations, read_records
from scimind.errors import DataError, SciMindError


def turns(*texts: str) -> list[dict[str, str]]:
    """Returns the turns of a conversation, starting with a question."""
    return [{"from": ("human", "gpt")[i % 2], "value": text} for i, text in enumerate(texts)]


PAIRS = [("CCO", "The molecule is an alcohol."), ("C/C=C\\C", 'It is "but-2-ene", an alkene.')]


def _pairs(path):
    """Returns the molecule and the description of each record, from its question and its answer."""
    opening, closing = "Please describe the molecule: <smiles>", "</smiles>"
    pairs = [record.rounds[0] for record in read_records("smiles2text", path)]
    assert all(question.startswith(opening) and question.endswith(closing) for question, _ in pairs)
    return [(question[len(opening) : -len(closing)], answer) for question, answer in pairs]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lpm.csv", 'molecule,caption\nCCO,The molecule is an alcohol.\nC/C=C\\C,"It is ""but-2-ene"", an alkene."\n'),
        ("lpm.tsv", 'molecule\tcaption\nCCO\tThe molecule is an alcohol.\nC/C=C\\C\tIt is "but-2-ene", an alkene.\n'),
        (
            "chebi.txt",
            "CID\tSMILES\tdescription\n7\tCCO\tThe molecule is an alcohol.\n"
            '8\tC/C=C\\\\C\tIt is "but-2-ene", an alkene.',
        ),
        (
            "truth.txt",
            "SMILES\tground truth\toutput\nCCO\tThe molecule is an alcohol.\tx\n"
            'C/C=C\\C\tIt is "but-2-ene", an alkene.\ty\n',
        ),
        (
            "truth2.txt",
            'description\tground truth\nThe molecule is an alcohol.\tCCO\nIt is "but-2-ene", an alkene.\tC/C=C\\C\n',
        ),
        ("rows.jsonl", "\n\n".join(json.dumps({"molecule": m, "caption": c}) for m, c in PAIRS)),
        ("rows.json", json.dumps([{"caption": c, "SMILES": m, "more": 1} for m, c in PAIRS], indent=2)),
    ],
)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_tables_of_all_forms(write, name, content, bom, end):
    path = write(name, bom + content.encode().replace(b"\n", end))
    assert _pairs(path) == PAIRS


def test_ids_come_from_the_file_or_its_name(write):
    chebi = write("chebi.txt", "CID\tSMILES\tdescription\n7\tCCO\tx\n\tCC\ty\n")
    assert [record.id for record in read_records("smiles2text", chebi)] == ["7", "chebi-2"]


def test_lines_of_quoted_csv_records(write):
    path = write("a.csv", 'molecule,caption\nC,"two\nlines"\nCC,one\nCCC\n')
    records = list(read_records("smiles2text", path))
    assert [record.line for record in records] == [2, 4, 5]
    assert records[0].rounds[0].answer == "two\nlines"
    assert str(records[2]) == f"{path}:5: the record has 1 columns, the header 2; fix the record: 'CCC'"


def test_both_directions(write):
    path = write("a.tsv", "molecule\tcaption\nCCO\tIt is {|C|} and <smiles>.\n")
    (record,) = read_records("smiles2text", path)
    assert record.rounds == (
        Round("Please describe the molecule: <smiles>CCO</smiles>", "It is \\{|C|} and \\<smiles>."),
    )
    (record,) = read_records("text2smiles", path)
    question = (
        "Please generate a SMILES chemical formula that matches the description below:\nIt is \\{|C|} and \\<smiles>."
    )
    assert record.rounds == (Round(question, "<smiles>CCO</smiles>"),)


def test_doubled_backslashes_in_conversations(write):
    texts = ("See <smiles>C/C=C\\\\C</smiles>, a \\\\ b", "{|C|}{|=|}{|C|}{|\\|}{|\\|}{|C|} and <smiles>C\\C</smiles>")
    (record,) = read_conversations(write("a.json", [{"id": "x", "conversation": turns(*texts)}]))
    assert record.repairs == 2
    assert record.rounds[0] == (
        "See <smiles>C/C=C\\C</smiles>, a \\\\ b",
        "{|C|}{|=|}{|C|}{|\\|}{|C|} and <smiles>C\\C</smiles>",
    )


@pytest.mark.parametrize("indent", [None, 2])
def test_conversation_json_and_json_lines(write, indent):
    values = [{"id": "a", "conversation": turns("q", "a")}, {"conversation": turns("q", "a", "r", "b")}]
    expected = [
        Conversation("a", (Round("q", "a"),)),
        Conversation("talk-2", (Round("q", "a"), Round("r", "b"))),
    ]
    assert list(read_conversations(write("talk.json", json.dumps(values, indent=indent)))) == expected
    assert list(read_conversations(write("talk.jsonl", "\r\n".join(map(json.dumps, values))))) == expected
    assert [record.to_json()["conversation"] for record in expected] == [value["conversation"] for value in values]


def test_an_open_question_is_for_prediction_only(write):
    path = write("a.json", [{"id": "x", "conversation": turns("q", "a", "r")}])
    (record,) = read_conversations(path, answered=False)
    assert record.rounds == (Round("q", "a"), Round("r", None))
    assert len(record.to_json()["conversation"]) == 3
    (error,) = read_conversations(path)
    assert isinstance(error, DataError)


def test_records_know_their_lines(write):
    values = [{"id": str(i), "conversation": turns("q", "a")} for i in range(3)]
    text = json.dumps(values, indent=1)
    starts = [number for number, line in enumerate(text.split("\n"), start=1) if line == " {"]
    assert [record.line for record in read_conversations(write("a.json", text))] == starts


GOOD = json.dumps({"id": "a", "conversation": turns("q", "a")})


@pytest.mark.parametrize(
    ("task", "content", "line", "reason"),
    [
        ("conversation", "", None, "the file is empty"),
        ("conversation", "\ufeff\n\n", None, "the file is empty"),
        ("conversation", "[]", None, "the list is empty"),
        (
            "conversation",
            f'[\n{GOOD},\n{{"id": }}]',
            3,
            "broken JSON (Expecting value); fix the file here: '{\"id\": }]'",
        ),
        ("conversation", f"[{GOOD}\n\n", 3, "a comma or the end of the list is missing"),
        ("conversation", f"[{GOOD},\n]", 2, "broken JSON (Expecting value)"),
        ("conversation", f"[{GOOD}]\nmore", 2, "text after the end of the list"),
        ("conversation", f"{GOOD}\n{{", 2, "broken JSON"),
        (
            "conversation",
            "SMILES\tdescription\nC\tx\n",
            1,
            "is not JSON; give conversation JSON, or for a table another task",
        ),
        ("conversation", '["text"]', 1, "this is not a record but 'text'; a record needs \"conversation\" (SciMind)"),
        ("conversation", '[{"id": 1, "turns": []}]', 1, 'its keys are id, turns; it needs "conversation" (SciMind)'),
        ("conversation", '[{"conversation": []}]', 1, "the conversation is empty"),
        (
            "conversation",
            json.dumps([{"conversation": turns("q")}]),
            1,
            "the last question of the conversation has no answer",
        ),
        ("conversation", json.dumps([{"conversation": turns("q", " ")}]), 1, "turn 2 is empty"),
        ("conversation", json.dumps([{"conversation": turns("q", "a")[::-1]}]), 1, "turn 1 is from gpt, not human"),
        ("conversation", '[{"conversation": [{"from": "me", "value": "x"}]}]', 1, "turn 1 is from 'me'; use human"),
        ("conversation", '[{"conversation": [{"from": "human"}]}]', 1, 'turn 1 needs the keys "from" and "value"'),
        (
            "smiles2text",
            "CID\tSMILES\n1\tC\n",
            1,
            "no column for the description; name a column caption or description or raw_output (the columns are",
        ),
        (
            "smiles2text",
            "id,caption\n1,x\n",
            1,
            "no column for the molecule; name a column molecule or smiles or raw_input (the columns are",
        ),
        ("smiles2text", "molecule,caption\nC,x\nCC,\n", 3, "the description is empty"),
        ("smiles2text", 'molecule,caption\nC,"x\n', 2, "broken table"),
        ("smiles2text", '{"molecule": "C", "caption": 5}', 1, "the description is not text"),
        ("smiles2text", '{"molecule": "C"}', 1, "no column for the description"),
        ("smiles2text", GOOD, 1, "use --task conversation"),
        ("smiles2text", "[3]", 1, "a record must be an object"),
        ("smiles2text", b"molecule,caption\nC,\xff\n", 2, "byte 0xff is not UTF-8"),
    ],
)
def test_faults_name_file_and_line(write, task, content, line, reason):
    path = write("data.any", content)
    try:
        error = next(record for record in read_records(task, path) if isinstance(record, DataError))
    except DataError as raised:
        error = raised
    assert str(error).startswith(f"{path}: " if line is None else f"{path}:{line}: ")
    assert reason in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("task", ["conversation", "smiles2text"])
def test_missing_file_and_folder(tmp_path, task):
    with pytest.raises(DataError, match="no such file"):
        next(iter(read_records(task, tmp_path / "none.json")))
    with pytest.raises(DataError, match="cannot be read"):
        next(iter(read_records(task, tmp_path)))


def test_unknown_task(tmp_path):
    with pytest.raises(SciMindError, match="must be one of smiles2text, text2smiles, .*, conversation; or give a file"):
        next(iter(read_records("smiles", tmp_path)))


def test_a_broken_line_of_json_lines_does_not_end_the_file(write):
    records = list(read_conversations(write("a.jsonl", f"{GOOD}\n{{\n{GOOD}\n")))
    assert [isinstance(record, DataError) for record in records] == [False, True, False]


def test_unicode_line_separators_end_no_line(write):
    path = write("a.tsv", "molecule\tcaption\nC\tone\u2028two\x0bthree\nCC\tx\n")
    assert [description for _, description in _pairs(path)] == ["one\u2028two\x0bthree", "x"]
