"""Tasks: the built-in ones on the forms of their files, a user's own, marks in text, reading answers."""

import json

import pytest

from scimind.data import TASKS, Round, find_task, prepare, read_conversations, read_records
from scimind.data.content.fields import FieldOptions
from scimind.data.content.sequences import wrap_text
from scimind.data.prepare.mixture import prepare_mixture
from scimind.data.prepare.options import PrepareOptions
from scimind.data.tasks.negatives import deepromoter_negative
from scimind.data.tasks.outputs import Output
from scimind.errors import ConfigError, DataError, SciMindError
from tests.support.shared import shared_file

PROTEIN = "MKTAYIAKQRQISFVKSHFSRQ"


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_there_and_says_how_it_is_scored(name):
    task = find_task(name)
    assert task.name == name and (task.metrics or name == "conversation")


def test_a_question_is_asked_with_raw_values(codec):
    assert find_task("smiles2text").ask(molecule="CCO") == "Please describe the molecule: <smiles>CCO</smiles>"
    question = find_task("text2smiles").ask(description="not <smiles>, not {|C|}")
    assert codec.decode(codec.encode(question)) == (
        "Please generate a SMILES chemical formula that matches the description below:\nnot <smiles>, not {|C|}"
    )
    with pytest.raises(DataError, match="the question of task smiles2text needs the molecule; give it"):
        find_task("smiles2text").ask()


def test_what_a_conversation_asks_does_not_depend_on_its_last_answer():
    task = find_task("conversation")
    for asked in ("What is it?", "Which?"):
        samples = [task.sample({"rounds": (Round(asked, answer),)}, FieldOptions()) for answer in ("", "x", "x y")]
        assert {sample.question for sample in samples} == {asked + "\x1f"}
        assert [sample.answer for sample in samples] == ["", "x", "x y"]


INSTRUCTION = {"instruction": "What does it do? ", "input": f"```\n{PROTEIN}\n```", "output": "It binds <dna>.", "x": 1}
DESIGN = {"instruction": "Design it.", "input": "1. Short.", "output": f"Here it is:\n```\n{PROTEIN}\n```"}


@pytest.mark.parametrize(
    ("task", "name", "content", "question", "answer"),
    [
        ("smiles2properties", "a.tsv", "CCO\t{'b c', 'a'}\n", "molecule: <smiles>CCO</smiles>", "a, b c"),
        ("properties2smiles", "a.csv", "smiles,properties\nCCO,b; a\n", "the properties: a, b", "<smiles>CCO</smiles>"),
        ("protein_function", "a.json", [INSTRUCTION], f"do?\n<protein>{PROTEIN}</protein>", r"It binds \<dna>."),
        ("protein_design", "a.json", [DESIGN], "Design it.\n1. Short.", f"<protein>{PROTEIN}</protein>"),
        ("promoter", "a.tsv", "sequence\tlabel\nACG CGT GTA\t1\n", "promoter? <dna>ACGTA</dna>", "yes"),
        ("moa", "a.csv", "SMILES,MOA\nCCO,GABA agonist\n", "molecule? <smiles>CCO</smiles>", "GABA agonist"),
    ],
)
def test_raw_forms(write, task, name, content, question, answer):
    (record,) = read_records(task, write(name, content))
    assert record.rounds[0].question.endswith(question) and record.rounds[0].answer == answer


def test_fasta_pairs_and_lists_of_promoters(codec, write, tmp_path):
    fasta = [write(f"{name}.fa", f">{name} x\nACGT{end}\nAC\n") for name, end in (("p", "AA"), ("n", "CC"))]
    given = {"codec": codec, "seq_length": 200, "progress": False}
    prepare("promoter", [f"yes={fasta[0]}", f"no={fasta[1]}"], tmp_path / "fasta", **given)
    talks = list(read_conversations(tmp_path / "fasta/promoter.json"))
    assert [(talk.id, talk.rounds[0].answer) for talk in talks] == [("p", "yes"), ("n", "no")]
    assert "<dna>ACGTAAAC</dna>" in talks[0].rounds[0].question
    sequence = "ACGTTGCAAC" * 10
    prepare("promoter", [write("list.txt", sequence + "\n")], tmp_path / "list", **given)
    talks = list(read_conversations(tmp_path / "list/list.json"))
    assert [talk.rounds[0].answer for talk in talks] == ["yes", "no"]
    assert deepromoter_negative(sequence, 0) in talks[1].rounds[0].question
    with pytest.raises(DataError, match="gives a label, but task smiles2text has none"):
        prepare("smiles2text", [f"yes={fasta[0]}"], tmp_path / "none", **given)


def test_pretraining_trains_on_everything_and_cuts_long_text_between_words(codec, write, tmp_path):
    text = " ".join(f"word{number}" for number in range(60)) + " <smiles>CCOCC</smiles> and more words after it"
    paths = [write("a.txt", text + "\n"), write("b.smi", "CCO ethanol\n"), write("c.fa", f">x\n{PROTEIN}\n")]
    given = {"codec": codec, "seq_length": 40, "progress": False, "name": "p"}
    summary = prepare("pretrain", paths, tmp_path, policy="truncate", **given)
    records = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    pieces = [record["text"] for record in records]
    assert " ".join(pieces[:-2]) == text and len(pieces) > 4
    assert pieces[-2:] == ["<smiles>CCO</smiles>", f"<protein>{PROTEIN}</protein>"]
    assert summary.answer_tokens == sum(summary.tokens.values()) - len(pieces)
    assert all(len(codec.encode(piece, eos=True)) <= 41 for piece in pieces)
    assert prepare("pretrain", paths, tmp_path, overwrite=True, **given).dropped["too long"] == 1


OWN = """
name: solubility
question: "Does {molecule} dissolve in {solvent}?"
answer: "{label}"
fields:
  molecule: {kind: smiles}
  solvent: {kind: text, optional: true}
  label: {kind: label, columns: [soluble], labels: {"yes": ["1"], "no": ["0"]}}
output: {kind: choice, choices: ["yes", "no"], positive: "yes"}
metrics: classification
"""


def test_a_users_task_in_yaml(codec, write, tmp_path):
    path, table = write("own.yaml", OWN), write("a.csv", "molecule,solvent,soluble\nCCO,water,1\nCCCC,water,0\n")
    prepare(path, [table], tmp_path / "out", codec=codec, seq_length=99, progress=False, workers=2)
    talks = list(read_conversations(tmp_path / "out/a.json"))
    assert talks[0].rounds[0] == ("Does <smiles>CCO</smiles> dissolve in water?", "yes")
    faulty = OWN.replace("kind: smiles", "kind: smile").replace("metrics", "metric").replace("{solvent}?", "{solvnt}?")
    with pytest.raises(ConfigError, match="metric is not a setting; the nearest valid one is metrics"):
        find_task(write("bad.yaml", faulty))
    with pytest.raises(ConfigError, match="'smile'.*; question uses {solvnt}"):
        find_task(write("worse.yaml", faulty.replace("metric:", "metrics:")))
    with pytest.raises(SciMindError, match="none.yaml: no such file"):
        find_task("none.yaml")


CLASS = """
from dataclasses import dataclass
from scimind.data import Round, Sample, Task
from scimind.data.content.fields import Field

@dataclass(frozen=True)
class Backwards(Task):
    def sample(self, values, settings):
        text = values["text"]
        return Sample(rounds=(Round(text, text[::-1]),), entity=text, question=text, answer=text[::-1])

TASK = Backwards("backwards", fields=(Field("text", "text", ("text",)),), headerless=("text",))
"""


def test_a_users_task_in_python_with_other_processes(codec, write, tmp_path, monkeypatch):
    monkeypatch.setattr("scimind.data.encode.records._RECORDS_AT_ONCE", 5)
    monkeypatch.setattr("scimind.data.encode.records._FEWEST_TASKS", 1)
    path, lines = write("backwards_task.py", CLASS), write("a.txt", "".join(f"ab{n}\n" for n in range(30)))
    prepare(path, [lines], tmp_path / "out", codec=codec, seq_length=99, progress=False, workers=2)
    talks = list(read_conversations(tmp_path / "out/a.json"))
    assert len(talks) == 30 and talks[29].rounds[0] == ("ab29", "92ba")


def test_detection_is_off_by_default_and_lists_what_it_found(codec, write, tmp_path):
    text = f"CC(=O)Oc1ccccc1C(=O)O, (ACGTACGTACGT) GATTACA {PROTEIN} is AN ABBREVIATION of NO2 and C1 (see [3])."
    expected = f"<smiles>CC(=O)Oc1ccccc1C(=O)O</smiles>, (ACGTACGTACGT) GATTACA <protein>{PROTEIN}</protein> is"
    assert wrap_text(text)[0] == text
    wrapped, _, found = wrap_text(text, detect=True)
    assert wrapped == expected + text.split(PROTEIN + " is")[1] and len(found) == 2
    talk = {"id": "x", "conversation": [{"from": "human", "value": text}, {"from": "gpt", "value": r"\<smiles> no"}]}
    given = {"codec": codec, "seq_length": 300, "progress": False}
    summary = prepare("conversation", [write("a.json", [talk])], tmp_path / "out", detect=True, **given)
    assert summary.detected == {"protein": 1, "smiles": 1}
    lines = (tmp_path / "out/a.detected.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["modality"] for line in lines] == ["smiles", "protein"]
    assert prepare("conversation", [tmp_path / "a.json"], tmp_path / "off", **given).tokens["smiles"] == 0


@pytest.mark.parametrize(
    ("output", "text", "expected"),
    [
        (Output("text"), " An alcohol. ", "An alcohol."),
        (Output("text"), " ", None),
        (Output("smiles"), "It is <smiles>CCO</smiles>.", "CCO"),
        (Output("smiles"), "CC(=O)O", "CC(=O)O"),
        (Output("protein"), f"Here it is: {PROTEIN}", PROTEIN),
        (Output("choice", ("yes", "no")), "No, it is none. yes", "no"),
        (Output("choice", ("yes", "no")), "nothing", None),
        (Output("choice", ("agonist", "agonist of GABA")), "an agonist of GABA", "agonist of GABA"),
        (Output("names"), "a, b c, a.", ["a", "b c"]),
    ],
)
def test_answers_are_read_back(output, text, expected):
    assert output.read(text) == expected


MIXTURE = """
name: multi
temperature: 2
tasks:
  captions: {task: smiles2text, input: [a.tsv]}
  promoters: {task: promoter, input: [p.txt]}
"""


def test_mixture(codec, write, tmp_path):
    carbons = "".join(f"{'C' * (number + 1)}\tAlkane {number}.\n" for number in range(90))
    write("a.tsv", "molecule\tcaption\n" + carbons)
    write("p.txt", "".join(f"{'ACGT' * 5}{'A' * number}\n" for number in range(12)))
    options = PrepareOptions(seq_length=160, progress=False, eval_fraction=0.2)
    given = {"codec": codec, "options": options}
    summary = prepare_mixture(write("multi.yaml", MIXTURE), tmp_path / "out", **given)
    assert set(summary.splits) == {"multi", "multi_captions_eval", "multi_promoters_eval"}
    big, small = summary.tasks["captions"], summary.tasks["promoters"]
    assert big["share"] / small["share"] == pytest.approx((big["train"] / small["train"]) ** 0.5)
    assert big["epochs"] < 1 < small["epochs"]
    assert summary.splits["multi"] == big["wanted"] + small["wanted"] == big["train"] + small["train"]
    kinds = ["promoter" in talk.rounds[0].question for talk in read_conversations(tmp_path / "out/multi.json")]
    assert sum(kinds) == small["wanted"]
    first = sum(kinds[: len(kinds) // 2])
    assert abs(first - sum(kinds) / 2) <= 1  # evenly mixed
    with pytest.raises(ConfigError, match="temprature is not a setting; the nearest valid one is temperature"):
        prepare_mixture(write("bad.yaml", MIXTURE.replace("temperature", "temprature")), tmp_path / "bad", **given)
    with pytest.raises(ConfigError, match="only some tasks have a weight"):
        prepare_mixture(write("w.yaml", MIXTURE.replace("p.txt]", "p.txt], weight: 2")), tmp_path / "bad", **given)


@pytest.mark.parametrize(
    ("task", "name", "count"),
    [
        ("catalytic_activity", "mol_instructions_protein/catalytic_activity.json", 273),
        ("promoter", "promoters/dnabert_ft6_dev.tsv", 1000),
    ],
)
def test_real_files_go_through(codec, tmp_path, task, name, count):
    summary = prepare(task, [shared_file(f"data/{name}")], tmp_path, codec=codec, seq_length=1100, progress=False)
    assert summary.read == summary.written == count and not any(summary.dropped.values())


def test_properties_of_lpm24(codec):
    found = read_records("smiles2properties", shared_file("data/lpm24/train_props.tsv.gz"), FieldOptions("as-is"))
    records = [next(found) for _ in range(200)]
    assert all(record.rounds[0].answer.count(",") >= 0 and record.rounds[0].question for record in records)
    assert records[0].rounds[0].answer.startswith("Aging, Apoptosis, Barth syndrome")
