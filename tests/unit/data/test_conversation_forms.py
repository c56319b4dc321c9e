"""Conversations in the forms of SciMind, ShareGPT, OpenAI and Alpaca give the same records."""

import json

import pytest

from scimind.data import Round, prepare, read_conversations
from scimind.data.defects import RecordError

QUESTION, ANSWER = "Describe <smiles>CCO</smiles>", "Ethanol."
ROUNDS = (Round("What is C?", "Methane."), Round(QUESTION, ANSWER))
TEXTS = [text for pair in ROUNDS for text in pair]


def listed(key, speaker, text, names, system=None):
    said = [{speaker: "system", text: system}] if system else []
    return {key: said + [{speaker: name, text: value} for name, value in zip(names * 2, TEXTS, strict=True)]}


FORMS = {
    "scimind": listed("conversation", "from", "value", ("human", "gpt")) | {"system": "Be brief."},
    "sharegpt": listed("conversations", "from", "value", ("human", "gpt"), "Be brief."),
    "sharegpt with roles": listed("conversations", "from", "value", ("user", "assistant")) | {"system": "Be brief."},
    "openai": listed("messages", "role", "content", ("user", "assistant"), "Be brief."),
    "alpaca": {
        "instruction": "Describe",
        "input": "<smiles>CCO</smiles>",
        "output": ANSWER,
        "history": [list(ROUNDS[0])],
        "system": "Be brief.",
    },
}
OPENAI = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_same_record(write, name):
    (talk,) = read_conversations(write("a.json", [FORMS[name]]))
    rounds = (ROUNDS[0], Round("Describe\n<smiles>CCO</smiles>", ANSWER)) if name == "alpaca" else ROUNDS
    assert (talk.rounds, talk.system, talk.id, dict(talk.readings)) == (rounds, "Be brief.", "a-1", {})
    (again,) = read_conversations(write("b.json", [talk.to_json()]))
    assert again == talk


def test_forms_can_be_mixed_in_a_file(write):
    path = write("a.jsonl", "\n".join(json.dumps(record) for record in FORMS.values()))
    assert [talk.rounds[0] for talk in read_conversations(path)] == [ROUNDS[0]] * len(FORMS)


def test_parts_of_a_message_are_lines_and_developers_are_systems(write):
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": content}, OPENAI[1]]
    (talk,) = read_conversations(write("a.json", [{"messages": messages}]))
    assert (talk.rounds, talk.system) == ((Round("a\nb", "a"),), "Be brief.")


def test_an_open_question_needs_no_output(write):
    path = write("a.json", [{"instruction": "q", "input": ""}, {"messages": OPENAI[:1]}])
    assert [talk.rounds for talk in read_conversations(path, answered=False)] == [(Round("q", None),)] * 2
    assert [str(error).count("has no answer") for error in read_conversations(path)] == [1, 1]


def test_keys_that_are_not_read_are_counted(write):
    messages = [OPENAI[0] | {"name": "me"}, OPENAI[1]]
    (talk,) = read_conversations(write("a.json", [{"messages": messages, "source": "x"}]))
    assert talk.readings == {'key "name" not used': 1, 'key "source" not used': 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"prompt": "q", "completion": "a"}, "its keys are prompt, completion; it needs"),
        ({"messages": OPENAI, "instruction": "q"}, "has both 'messages' and 'instruction'"),
        ({"messages": "q"}, '"messages" must be a list of turns'),
        ({"messages": [*OPENAI, {"role": "tool", "content": "x"}]}, "turn 3 is from 'tool'; tools are not supported"),
        ({"messages": [*OPENAI, {"role": {"a": 1}, "content": "x"}]}, "turn 3 is from {'a': 1}; use system"),
        ({"messages": [OPENAI[0], OPENAI[1] | {"tool_calls": [{}]}]}, "turn 2 calls a tool"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "turn 1 has a part of type image_url"),
        ({"messages": [*OPENAI, {"role": "system", "content": "x"}]}, "turn 3 is a system text after the first"),
        ({"messages": [OPENAI[0], OPENAI[1] | {"weight": 0}]}, 'turn 2 has "weight" 0'),
        ({"messages": OPENAI, "tools": [{}]}, "has tools"),
        ({"conversations": [], "images": ["a.png"]}, "has images"),
        ({"messages": [{"role": "system", "content": "x"}, *OPENAI], "system": "y"}, "a different system turn"),
        ({"messages": OPENAI, "system": 3}, '"system" must be text'),
        ({"messages": [{"role": "system", "content": "x"}, OPENAI[1]]}, "turn 2 is from gpt, not human"),
        ({"instruction": "q", "output": " "}, '"output" is empty'),
        ({"instruction": "", "output": "a"}, '"instruction" and "input" are empty'),
        ({"instruction": "q", "output": "a", "history": [["q"]]}, '"history" must be a list of pairs'),
    ],
)
def test_a_fault_is_of_its_record_only(write, record, reason):
    good, bad, _ = read_conversations(write("a.json", [{"messages": OPENAI}, record, FORMS["alpaca"]]))
    assert good.rounds == (Round("q", "a"),)
    assert reason in str(bad) and str(bad).count("\n") == 0


def test_preparation_keeps_system_texts_and_says_what_was_read(write, tmp_path, codec):
    tagged = {"messages": [{"role": "user", "content": "<SMILES> CCO </SMILES> <MOL>"}, OPENAI[1]]}
    path = write("talk.json", [*FORMS.values(), tagged, {"x": 1}])
    summary = prepare("conversation", [path], tmp_path / "out", codec=codec, workers=1, card=False, progress=False)
    assert (summary.written, summary.defects) == (3, {"malformed": 1, "duplicate": 3})
    assert summary.readings == {"<MOL> kept as text": 1, "<SMILES> read as <smiles>": 1}
    assert "<MOL> kept as text" in summary.table()
    talks = list(read_conversations(tmp_path / "out/talk.json"))
    assert [talk.system for talk in talks] == ["Be brief.", "Be brief.", ""]


def test_records_that_differ_in_the_system_text_are_not_duplicates(write, tmp_path, codec):
    records = [{"messages": OPENAI, "system": text} for text in ("x", "y", "x", "")]
    path = write("talk.json", records)
    summary = prepare("conversation", [path], tmp_path / "out", codec=codec, workers=1, card=False, progress=False)
    assert summary.written == 3


def test_selfies_that_cannot_be_decoded_is_a_fault_of_its_record(write):
    pytest.importorskip("selfies")
    records = [{"instruction": "Describe", "input": text, "output": "a"} for text in ("[C][=O]", "[C][=Foo]")]
    talk, error = read_conversations(write("a.json", records))
    assert talk.rounds[0].question == "Describe\n<smiles>C=O</smiles>" and talk.readings == {"SELFIES decoded": 1}
    assert isinstance(error, RecordError) and error.line == 1
