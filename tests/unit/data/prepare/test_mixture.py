"""Mixtures in YAML files: the values that each part may have, and all faults of a file reported at once."""

from __future__ import annotations

import pytest

from scimind.data.prepare.mixture import read_mixture
from scimind.data.prepare.sources import LabelledFile
from scimind.errors import ConfigError, SciMindError

MIXTURE = """
name: multi
temperature: 2
records: 10
tasks:
  captions: {task: smiles2text, input: [a.tsv, b.tsv], weight: 3}
  promoter: {input: yes=p.txt, weight: 0.5}
"""


def test_a_file_becomes_a_mixture(write, tmp_path):
    mixture = read_mixture(write("multi.yaml", MIXTURE))
    assert (mixture.name, mixture.temperature, mixture.records) == ("multi", 2.0, 10)
    assert [(source.name, source.task.name, source.weight) for source in mixture.sources] == [
        ("captions", "smiles2text", 3.0),
        ("promoter", "promoter", 0.5),
    ]
    assert mixture.sources[0].files == [LabelledFile(tmp_path / "a.tsv"), LabelledFile(tmp_path / "b.tsv")]
    assert mixture.sources[1].files == [LabelledFile(tmp_path / "p.txt", "yes")]


def test_defaults(write):
    mixture = read_mixture(write("small.yaml", "tasks: {promoter: {input: p.txt}}\n"))
    assert (mixture.name, mixture.temperature, mixture.records) == ("small", 1.0, None)
    assert mixture.sources[0].weight is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("temperature", "temprature", "temprature is not a setting; the nearest valid one is temperature"),
        ("temperature: 2", "temperature: 0", "temperature (0.0) must be at least 0.1"),
        ("temperature: 2", "temperature: warm", "temperature ('warm') must be a number"),
        ("records: 10", "records: 0", "records (0) must be at least 1"),
        ("records: 10", "records: 1.5", "records (1.5) must be a whole number"),
        ("tasks:", "task:", "tasks is missing; give it a value"),
        (
            "weight: 3",
            "wait: 3",
            "tasks.captions.wait is not a setting; the nearest valid one is tasks.captions.weight",
        ),
        ("weight: 3", "weight: -1", "tasks.captions.weight (-1.0) must be at least 1e-06"),
        (", weight: 3", "", "only some tasks have a weight; give one to all tasks or to none"),
        ("input: yes=p.txt, ", "", "tasks.promoter.input is missing; give it a value"),
        ("[a.tsv, b.tsv]", "[]", "tasks.captions.input ([]) must be a list with at least one item"),
        ("[a.tsv, b.tsv]", "[a.tsv, 5]", "tasks.captions.input.1 (5) must be text"),
        ("[a.tsv, b.tsv]", "''", "tasks.captions.input is empty; give text"),
        ("captions:", "1:", "must be names with values; put names that are not text in quotes"),
    ],
)
def test_a_fault_is_named_with_its_place(write, old, new, fault):
    assert old in MIXTURE
    path = write("multi.yaml", MIXTURE.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_mixture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)


def test_all_faults_come_at_once_and_a_wrong_weight_is_one(write):
    text = MIXTURE.replace("temperature: 2", "temperature: 0").replace("weight: 3", "weight: 0")
    with pytest.raises(ConfigError) as caught:
        read_mixture(write("multi.yaml", text))
    assert [fault.split()[0] for fault in caught.value.faults] == ["temperature", "tasks.captions.weight"]


def test_a_file_that_is_not_a_mixture_is_reported(write, tmp_path):
    for text, fault in (
        ("- 1\n", "where settings such as `tasks: {captions: {task: smiles2text, input: [train.csv]}}`"),
        ("", "is empty; give settings such as `tasks: "),
        ("name: a\nname: b\n", "multi.yaml:2: not valid YAML: 'name' is given twice"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_mixture(write("multi.yaml", text))
        assert fault in str(caught.value)
    with pytest.raises(ConfigError, match="no such file; check the path"):
        read_mixture(tmp_path / "none.yaml")
    with pytest.raises(SciMindError, match="must be one of smiles2text"):
        read_mixture(write("multi.yaml", "tasks: {captions: {input: a.tsv}}\n"))
