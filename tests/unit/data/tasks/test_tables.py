"""Tables without a task file: the task that they stand for, the file that says so, and how commands find it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from scimind.data.prepare.definitions import definition_next_to
from scimind.data.prepare.task_files import prepare, prepare_table
from scimind.data.tasks.registry import find_task, task_of_tree
from scimind.data.tasks.tables import TableQuestion
from scimind.errors import ConfigError, DataError, SciMindError
from scimind.tokenizer import TokenCodec

SMILES = ["C" * n for n in range(1, 41)]


def table(tmp_path: Path, values, header="smiles,target", name="my.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join([header, *(f"{s},{v}" for s, v in zip(SMILES, values, strict=False))]) + "\n")
    return path


def question(kind: str, **settings) -> TableQuestion:
    return TableQuestion("smiles", "target", kind, **settings)


@pytest.mark.parametrize(
    ("values", "settings", "digits"),
    [
        ([1.234, 3.5, 8.25], {}, 1),  # deviation 2.9
        ([0.011, 0.014, 0.018], {}, 4),
        ([1000, 2000, 3500], {}, 0),
        ([1.234, 3.5, 8.25], {"digits": 3}, 3),
        (["1e-7", "2e-6", "3e-5"], {"transform": "log10"}, 1),
        (["4.9 nM", "120 nM", "7 nM"], {"unit": "nM", "transform": "p"}, 2),  # pIC50 of 8.3, 6.9 and 8.2
    ],
)
def test_numbers_get_the_decimals_that_their_spread_asks_for(tmp_path, values, settings, digits):
    definition = question("number", **settings).definition(table(tmp_path, values))
    task = task_of_tree(definition)
    assert task.number_field.number.digits == digits
    assert (task.metrics, task.output.kind) == ("regression", "number")


def test_classes_and_labels(tmp_path):
    task = task_of_tree(question("class").definition(table(tmp_path, ["red", "blue", "red "])))
    assert (task.output.choices, task.metrics) == (("blue", "red"), "classification")
    yes = task_of_tree(question("class").definition(table(tmp_path, ["1", "0.0", "True"])))
    assert (yes.output.choices, yes.output.positive) == (("yes", "no"), "yes")
    labels = task_of_tree(question("labels").definition(table(tmp_path, ["a; b", "c", ""])))
    assert labels.metrics == "names"


@pytest.mark.parametrize(
    ("kind", "settings", "values", "message"),
    [
        ("number", {}, ["high", "low"], "has no numbers; the first of 'high': it is not a number"),
        ("number", {"unit": "nM"}, ["4 µM"], "its unit is µM, and that of the field is nM"),
        ("number", {"transform": "p"}, [1, 2], "transform p needs a unit of concentration"),
        ("class", {}, ["a", "a"], "has 1 classes"),
        ("class", {}, ["a; b", "c"], r"has several classes in a cell \(a; b\); give --kind labels"),
        ("class", {"unit": "nM"}, ["a", "b"], "only for --kind number, not class"),
        ("labels", {}, ["", "NA"], "has no labels"),
    ],
)
def test_a_target_without_values_of_its_kind_is_refused(tmp_path, kind, settings, values, message):
    with pytest.raises(SciMindError, match=message):
        question(kind, **settings).definition(table(tmp_path, values))


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(DataError, match="'smiles', 'target'"):
        TableQuestion("smiles", "pIC50", "number").definition(table(tmp_path, [1, 2]))


def test_the_task_file_stands_next_to_the_data_and_knows_the_training_mean(tmp_path):
    values = [f"{n / 10:.1f}" for n in range(40)]
    settings = {"codec": TokenCodec(), "seq_length": 64, "test_fraction": 0.3, "workers": 1, "progress": False}
    settings["card"] = False
    prepare_table(question("number"), table(tmp_path, values), tmp_path / "data", **settings)
    path = tmp_path / "data" / "my.task.yaml"
    assert [definition_next_to(tmp_path / "data" / name) for name in ("my.json", "my_test.json")] == [path, path]
    assert definition_next_to(tmp_path / "my.csv") is None
    talks = json.loads((tmp_path / "data" / "my.json").read_text())
    learnt = [float(talk["conversation"][1]["value"]) for talk in talks]
    assert 0 < len(learnt) < 40
    assert find_task(path).output.training_mean == pytest.approx(sum(learnt) / len(learnt), rel=1e-9)
    assert sum(learnt) / len(learnt) != pytest.approx(sum(map(float, values)) / 40)  # those of the test are left out

    changed = yaml.safe_load(path.read_text()) | {"question": "Guess the target of {molecule}"}
    path.write_text(yaml.safe_dump(changed))
    prepare(path, [tmp_path / "my.csv"], tmp_path / "data", overwrite=True, **settings)
    assert "Guess the target" in (tmp_path / "data" / "my_test.json").read_text()
    assert find_task(path).question == changed["question"]  # the user's file is kept

    with pytest.raises(SciMindError, match="exists; give --overwrite"):
        prepare_table(question("number"), tmp_path / "my.csv", tmp_path / "data", **settings)
    other = tmp_path / "other.yaml"
    other.write_text(path.read_text())
    prepare(other, [tmp_path / "my.csv"], tmp_path / "data", overwrite=True, **settings)
    assert not path.exists()  # it would be taken for the task of this data


def test_a_cell_with_another_unit_is_listed_with_its_row(tmp_path):
    source = table(tmp_path, ["4.9 nM", "1.2 µM", "7 nM", "8.1"])
    settings = {"codec": TokenCodec(), "seq_length": 64, "workers": 1, "progress": False}
    summary = prepare_table(question("number", unit="nM"), source, tmp_path / "data", **settings)
    assert summary.written == 3
    [reject] = [json.loads(line) for line in (tmp_path / "data" / "my.rejects.jsonl").read_text().splitlines()]
    assert reject["line"] == 3
    assert "its unit is µM, and that of the field is nM" in reject["reason"]
    with pytest.raises(DataError, match="my.csv:3: the answer cannot be used: its unit is µM"):
        prepare_table(question("number", unit="nM"), source, tmp_path / "strict", on_bad="stop", **settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "{answer} nM"}, "needs an answer that is one field of kind number"),
        ({"output": {"kind": "text", "training_mean": 2.0}}, "training_mean is only for output.kind number"),
        ({"fields": {"molecule": {"kind": "smiles", "digits": 2}, "answer": {"kind": "number"}}}, "digits is only for"),
        ({"fields": {"molecule": {}, "answer": {"kind": "number", "transform": "p"}}}, "unit of concentration"),
        ({"fields": {"molecule": {}, "answer": {"kind": "number", "digits": 20}}}, "at most 12"),
    ],
)
def test_settings_of_numbers_that_contradict_each_other(change, message, tmp_path):
    definition = question("number").definition(table(tmp_path, [1, 2, 3]))
    task_of_tree(definition)
    with pytest.raises(ConfigError, match=message):
        task_of_tree({**definition, **change})
