"""Tasks in YAML files: the values that each part may have, and all faults of a file reported at once."""

from __future__ import annotations

import pytest

from scimind.data.content.fields import Field
from scimind.data.tasks.outputs import Output
from scimind.data.tasks.registry import load_task
from scimind.errors import ConfigError

TASK = """
name: solubility
question: "Does {molecule} dissolve?"
answer: "{label}"
fields:
  molecule: {kind: smiles, columns: [" SMILES ", 7]}
  label: {kind: label, labels: {"yes": [1, true], "no": ["0"]}}
output: {kind: choice, choices: ["yes", "no"], positive: "yes"}
"""


def faults_of(path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_task(path)
    assert str(caught.value).startswith(str(path))
    return caught.value.faults


def test_a_file_becomes_a_task(write):
    task = load_task(write("own.yaml", TASK))
    assert task.fields == (
        Field("molecule", "smiles", ("smiles", "7")),
        Field("label", "label", ("label",), labels={"yes": ("1", "True"), "no": ("0",)}),
    )
    assert task.output == Output("choice", ("yes", "no"), "yes")
    assert (task.metrics, task.conflicts, task.negatives, task.key, task.headerless) == (
        *("classification", "", "", "", ()),
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("kind: smiles", "kind: smile", "fields.molecule.kind ('smile') must be one of text, tagged, smiles"),
        (
            "kind: smiles",
            "kinds: smiles",
            "fields.molecule.kinds is not a setting; the nearest valid one is fields.molecule.kind",
        ),
        ("kind: smiles", "fenced: moa", "fields.molecule.fenced ('moa') must be one of smiles, protein, dna, rna"),
        ("kind: smiles", "optional: 1", "fields.molecule.optional (1) must be True or False"),
        (
            '"no": ["0"]',
            'no: ["0"]',
            "fields.label.labels ({'yes': [1, True], False: ['0']}) must be names with values",
        ),
        ('["0"]', '"0"', "fields.label.labels.no ('0') must be a list"),
        ("name: solubility", "", "name is missing; give it a value"),
        ('question: "Does {molecule} dissolve?"', 'question: ""', "question is empty; give text"),
        ("{molecule}", "{solvent}", "question uses {solvent}, which is not one of the fields molecule, label"),
        ("kind: choice", "kind: vote", "output.kind ('vote') must be one of text, smiles"),
        ('positive: "yes"', 'positive: "maybe"', "output.positive ('maybe') must be one of yes, no"),
        ("name:", "key: solvent\nname:", "key ('solvent') must be one of molecule, label"),
        ("name:", "headerless: [solvent]\nname:", "headerless ('solvent') must be one of molecule, label"),
        ("name:", "metrics: accuracy\nname:", "metrics ('accuracy') must be one of captions, molecules"),
        ("name:", "conflicts: merge\nname:", "conflicts ('merge') must be one of keep, list, first, drop"),
        ("name:", "negatives: random\nname:", "negatives ('random') must be one of deepromoter"),
        (
            ', "no": ["0"]}}',
            "}}\nnegatives: deepromoter",
            "negatives need a field of kind label with two labels",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(write, old, new, fault):
    assert old in TASK
    assert fault in "; ".join(faults_of(write("own.yaml", TASK.replace(old, new, 1))))


def test_all_faults_of_a_file_come_at_once(write):
    text = TASK.replace("kind: smiles", "kind: smile").replace("name:", "title:").replace("{label}", "{labels}")
    assert [fault.split()[0] for fault in faults_of(write("own.yaml", text))] == [
        *("title", "fields.molecule.kind", "name", "answer"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty; start from one of the files in"),
        ("- 1\n", "contains [1] where settings such as `name: my_task` are expected"),
        ("name: [\n", "own.yaml:2: not valid YAML"),
        ("name: a\nname: b\n", "own.yaml:2: not valid YAML: 'name' is given twice; keep one of them"),
        ("a: &a [*a]\n", "an alias inside what it"),
    ],
)
def test_a_file_that_is_not_a_task_is_reported(write, text, fault):
    with pytest.raises(ConfigError) as caught:
        load_task(write("own.yaml", text))
    assert fault in str(caught.value)
