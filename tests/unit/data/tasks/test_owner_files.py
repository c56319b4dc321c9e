"""Reactions, names and tables of several labels, in the forms in which their owners publish them."""

from __future__ import annotations

import json

import pytest
import selfies

from scimind.data import find_task, prepare, read_records
from scimind.data.content.fields import Field, FieldOptions, read_field
from scimind.data.defects import RecordError
from scimind.data.formats.notes import FileNotes
from scimind.data.prepare.mixture import read_mixture
from scimind.data.tasks.records import parse_only
from scimind.errors import ConfigError, DataError, SciMindError

# USPTO-50k's header; the reaction has map numbers and an agent.
USPTO = (
    "id,class,reactants>reagents>production\nr1,2,[CH3:1][OH:2].[Cl:5][C:3](=[O:4])[CH3:6]>CCN(CC)CC>"
    "[CH3:1][O:2][C:3](=[O:4])[CH3:6]\n"
)
ACID, ALCOHOL, ESTER = "CC(=O)Cl", "CO", "COC(C)=O"


def in_selfies(*molecules):
    return ".".join(map(selfies.encoder, molecules))


def mol_instructions(asked, answer, task):
    about = {"task": task, "split": "train"}
    return [{"instruction": "Go on.", "input": asked, "output": answer, "metadata": about}]


def smolinstruct(task, asked, answer, **more):
    templated = {"input": f"Think of <SMILES> {asked} </SMILES> now.", "output": f"So <X> {answer} </X> ."}
    raw = {"raw_input": asked, "raw_output": answer, "task": task, "split": "test", "target": None}
    return json.dumps({**templated, **raw, "sample_id": f"{task}.test.1", **more}) + "\n"


ESOL = (
    "Compound ID,ESOL predicted log solubility in mols per litre,Minimum Degree,Molecular Weight,"
    "Number of H-Bond Donors,Number of Rings,Number of Rotatable Bonds,Polar Surface Area,"
    "measured log solubility in mols per litre,smiles\n"
    "Spirit,1.2,1,32.04,1,0,0,20.23,0.331,CO\n"
)
REACTION = in_selfies(ALCOHOL, ACID) + ">>" + in_selfies(ESTER)
FORMS = [
    ("forward_synthesis", "a.csv", USPTO, "<smiles>CC(=O)Cl.CCN(CC)CC.CO</smiles>", f"<smiles>{ESTER}</smiles>"),
    ("retrosynthesis", "a.csv", USPTO, f"<smiles>{ESTER}</smiles>", "<smiles>CC(=O)Cl.CO</smiles>"),
    ("reagent", "a.csv", USPTO, f"<smiles>CC(=O)Cl.CO>>{ESTER}</smiles>", "<smiles>CCN(CC)CC</smiles>"),
    (
        "forward_synthesis",
        "a.json",
        mol_instructions(in_selfies(ALCOHOL, ACID), in_selfies(ESTER), "forward reaction prediction"),
        "Go on.\n<smiles>CO.CC(=O)Cl</smiles>",
        f"<smiles>{ESTER}</smiles>",
    ),
    (
        "retrosynthesis",
        "a.json",
        mol_instructions(in_selfies(ESTER), in_selfies(ACID, "O"), "retrosynthesis"),
        f"Go on.\n<smiles>{ESTER}</smiles>",
        "<smiles>CC(=O)Cl.O</smiles>",
    ),
    (
        "reagent",
        "a.json",
        mol_instructions(REACTION, in_selfies("CCN(CC)CC", "O"), "reagent prediction"),
        f"Go on.\n<smiles>CO.CC(=O)Cl>>{ESTER}</smiles>",
        "<smiles>CCN(CC)CC.O</smiles>",
    ),
    (
        "molecular_description_generation",
        "a.json",
        mol_instructions(in_selfies(ESTER), "It smells.", "molecular description generation"),
        f"Go on.\n<smiles>{ESTER}</smiles>",
        "It smells.",
    ),
    (
        "description_guided_molecule_design",
        "a.json",
        mol_instructions("It smells.", in_selfies(ESTER), "description guided molecule design"),
        "Go on.\nIt smells.",
        f"<smiles>{ESTER}</smiles>",
    ),
    ("forward_synthesis", "a.jsonl", smolinstruct("forward_synthesis", "CO.CC(=O)Cl", ESTER), "CO.CC(=O)Cl", ESTER),
    ("retrosynthesis", "a.jsonl", smolinstruct("retrosynthesis", ESTER, "CO.CC(=O)Cl"), ESTER, "CO.CC(=O)Cl"),
    ("smiles2text", "a.jsonl", smolinstruct("molecule_captioning", "CO", "An alcohol."), "<smiles>CO", "An alcohol."),
    ("text2smiles", "a.jsonl", smolinstruct("molecule_generation", "An alcohol.", "CO"), "An alcohol.", "<smiles>CO"),
    ("iupac2smiles", "a.jsonl", smolinstruct("name_conversion-i2s", "methanol", "CO"), "name? methanol", "<smiles>CO"),
    (
        "smiles2iupac",
        "a.jsonl",
        smolinstruct("name_conversion-s2i", "CO", "methanol"),
        "<smiles>CO</smiles>",
        "methanol",
    ),
    ("iupac2formula", "a.jsonl", smolinstruct("name_conversion-i2f", "methanol", "CH4O"), "name? methanol", "CH4O"),
    ("smiles2formula", "a.jsonl", smolinstruct("name_conversion-s2f", "CO", "CH4O"), "<smiles>CO</smiles>", "CH4O"),
    ("bbbp", "a.jsonl", smolinstruct("property_prediction-bbbp", "CO", "Yes"), "barrier? <smiles>CO</smiles>", "yes"),
    ("hiv", "a.jsonl", smolinstruct("property_prediction-hiv", "CO", "No"), "HIV? <smiles>CO</smiles>", "no"),
    ("clintox", "a.jsonl", smolinstruct("property_prediction-clintox", "CO", "No"), "toxic in clinical trials? ", "no"),
    (
        "sider",
        "a.jsonl",
        smolinstruct("property_prediction-sider", "CO", "Yes", target="Eye disorders"),
        "of this kind: Eye disorders? <smiles>CO</smiles>",
        "yes",
    ),
    ("esol", "a.jsonl", smolinstruct("property_prediction-esol", "CO", "-1.5"), "mol/L? <smiles>CO</smiles>", "-1.50"),
    ("lipophilicity", "a.jsonl", smolinstruct("property_prediction-lipo", "CO", "0.4"), "<smiles>CO</smiles>", "0.40"),
    (
        "property_prediction",
        "a.json",
        mol_instructions(in_selfies(ESTER), -0.2482, "property prediction"),
        f"Go on.\n<smiles>{ESTER}</smiles>",
        "-0.2482",
    ),
    ("esol", "delaney.csv", ESOL, "mol/L? <smiles>CO</smiles>", "0.33"),
    ("lipophilicity", "Lipo.csv", "CMPD_CHEMBLID,exp,smiles\nX1,3.54,CO\n", "7.4? <smiles>CO</smiles>", "3.54"),
    ("bbbp", "BBBP.csv", "num,name,p_np,smiles\n1,Spirit,1,CO\n", "barrier? <smiles>CO</smiles>", "yes"),
    ("hiv", "HIV.csv", "smiles,activity,HIV_active\nCO,CI,0\n", "HIV? <smiles>CO</smiles>", "no"),
    ("iupac2smiles", "n.csv", "iupac,smiles\nmethanol,CO\n", "name? methanol", "<smiles>CO</smiles>"),
    ("smiles2formula", "f.csv", "smiles,formula\nCO,CH4O\n", "<smiles>CO</smiles>", "CH4O"),
]


@pytest.mark.parametrize(("task", "name", "content", "asked", "answer"), FORMS)
def test_a_record_of_its_owner(write, task, name, content, asked, answer):
    (record,) = read_records(task, write(name, content))
    ((question, given),) = record.rounds
    assert asked in question and answer in given
    assert "[" not in question.partition("Go on.")[2]  # no SELFIES and no map number is left


def test_a_table_with_a_column_for_each_label_has_a_record_for_each_value(write):
    clintox = list(read_records("clintox", write("clintox.csv", "smiles,FDA_APPROVED,CT_TOX\nCO,1,0\nCCO,0,\n")))
    assert [(record.id, record.rounds[0].answer) for record in clintox] == [
        ("clintox-1:approved by the FDA", "yes"),
        ("clintox-1:toxic in clinical trials", "no"),
        ("clintox-2:approved by the FDA", "no"),
    ]
    effects = list(find_task("sider").wide.columns)
    assert len(effects) == 27
    header = ",".join(f'"{name}"' for name in effects)
    sider = list(read_records("sider", write("sider.csv", f"smiles,{header}\nCO,{','.join('01' * 13 + '1')}\n")))
    assert [record.id for record in sider] == [f"sider-1:{name}" for name in effects]
    assert [record.rounds[0].answer for record in sider] == ["no", "yes"] * 13 + ["yes"]
    whole = {"input": "CO", "output": {"Eye disorders": "Yes", "Investigations": "No"}, "task": "x", "split": "test"}
    whole["task"] = "property_prediction-sider"
    named = list(read_records("sider", write("raw.jsonl", json.dumps(whole))))
    assert [record.id for record in named] == ["raw-1:Eye disorders", "raw-1:Investigations"]
    (faulty,) = read_records("sider", write("none.csv", "smiles,dose\nCO,3\n"))
    assert isinstance(faulty, RecordError) and "the effect is empty" in faulty.reason


def test_only_the_records_of_a_task_and_of_a_split_are_used(write):
    mixed = smolinstruct("retrosynthesis", ESTER, ALCOHOL) + smolinstruct("forward_synthesis", ALCOHOL, ESTER)
    path, notes = write("mixed.jsonl", mixed), FileNotes()
    (row,) = find_task("retrosynthesis").rows(path, None, notes, FieldOptions())
    assert row.id == "retrosynthesis.test.1"
    assert notes.remarks == ["1 records passed over, since only those with task retrosynthesis are taken"]
    with pytest.raises(DataError, match="none of its 2 records has task property_prediction-hiv; give another file"):
        list(find_task("hiv").rows(path, None, FileNotes(), FieldOptions()))
    reactions = mol_instructions(in_selfies(ESTER), in_selfies(ACID), "retrosynthesis")
    reactions.append({**reactions[0], "metadata": {"task": "retrosynthesis", "split": "test"}, "instruction": "Stop."})
    path = write("splits.json", reactions)
    for split, asked in (("train", "Go on."), ("test", "Stop.")):
        task = find_task("retrosynthesis").with_only({"metadata.split": (split,)})
        (record,) = read_records(task, path)
        assert record.rounds[0].question.startswith(asked)
    with pytest.raises(DataError, match="no column for the fold"):
        list(find_task("retrosynthesis").with_only({"fold": ("1",)}).rows(path, None, FileNotes(), FieldOptions()))
    with pytest.raises(SciMindError, match="--only: task conversation does not read records with columns"):
        find_task("conversation").with_only({"split": ("train",)})


def test_the_command_line_and_a_mixture_choose_records(write):
    assert parse_only(["split=train", "split=valid", "metadata.task=x = y"]) == {
        "split": ("train", "valid"),
        "metadata.task": ("x = y",),
    }
    for text in ("split", "=train", "split="):
        with pytest.raises(SciMindError, match=f"--only \\({text}\\) must have the form COLUMN=VALUE"):
            parse_only([text])
    text = "tasks:\n  r: {task: retrosynthesis, input: [a.json], only: {metadata.split: [train], fold: [1]}}\n"
    (source,) = read_mixture(write("mixture.yaml", text)).sources
    assert source.task.only.values == {"task": ("retrosynthesis",), "metadata.split": ("train",), "fold": ("1",)}
    assert source.task.only.required == {"metadata.split", "fold"}


def test_a_reaction_and_its_reverse_are_in_one_split(codec, write, tmp_path):
    chains = ["C" * length for length in range(2, 60)]
    table = "reaction\n" + "".join(f"{chain}Cl.O>[Na+]>{chain}O\n" for chain in chains)
    products = {}
    for task in ("forward_synthesis", "retrosynthesis", "reagent"):
        given = {"codec": codec, "seq_length": 400, "progress": False, "name": task, "eval_fraction": 0.3, "workers": 1}
        prepare(task, [write("r.csv", table)], tmp_path / "out", **given)
        talks = json.loads((tmp_path / f"out/{task}_eval.json").read_text())
        products[task] = {talk["id"] for talk in talks}
    assert 5 < len(products["reagent"]) < 40
    assert products["forward_synthesis"] == products["retrosynthesis"] == products["reagent"]


REACTANTS = Field("x", "smiles", ("x",), part="reactants")


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("reactants", "CO.CCl"),
        ("agents", "[Na+]"),
        ("products", "COC"),
        ("reactants.agents", "CO.CCl.[Na+]"),
        ("reactants>>products", "CO.CCl>>COC"),
    ],
)
def test_a_field_takes_its_part_of_a_reaction(part, shown):
    kind = "reaction" if ">" in part else "smiles"
    value = read_field(Field("x", kind, ("x",), part=part), "CO.CCl>[Na+]>COC", FieldOptions())
    assert value.shown == f"<smiles>{shown}</smiles>"


def test_map_numbers_are_removed_where_they_would_give_the_answer_away():
    mapped = "[CH3:1][OH:2]>>[CH3:1][O:2]C"
    value = read_field(REACTANTS, mapped, FieldOptions())
    assert value.shown == "<smiles>CO</smiles>" and value.readings == {"numbers of mapped atoms removed": 1}
    whole = read_field(Field("x", "reaction", ("x",)), mapped, FieldOptions())
    assert ":1]" in whole.shown and not whole.readings
    with pytest.raises(RecordError, match="the reaction has no agents; add them"):
        read_field(Field("x", "smiles", ("x",), part="agents"), mapped, FieldOptions())


def test_a_reaction_in_selfies_is_not_read_as_bare_atoms():
    value = read_field(Field("x", "reaction", ("x",)), "[C][O]>>[C][Cl]", FieldOptions())
    assert value.shown == "<smiles>CO>>CCl</smiles>" and value.readings == {"SELFIES decoded": 1}
    value = read_field(Field("x", "reaction", ("x",)), "[Na+]>>[K+]", FieldOptions())
    assert value.shown == "<smiles>[Na+]>>[K+]</smiles>" and not value.readings


def test_faults_of_the_new_settings_are_named(write):
    text = (
        'name: x\nquestion: "{a}"\nanswer: "{b}"\nfields:\n  a: {kind: text, part: agents}\n  b: {kind: text}\n'
        "wide: {names: a, values: c, columns: {X: x}}\n"
    )
    with pytest.raises(ConfigError, match=r"wide \('c'\) must name one of a, b; fields.a.part needs the kind smiles"):
        find_task(write("x.yaml", text))
