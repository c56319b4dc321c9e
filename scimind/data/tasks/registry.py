"""Finds tasks by name: those shipped with the package, and those in a user's YAML or Python file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from scimind.config.nodes import Items, Named, Section, Value
from scimind.config.reading import read_file
from scimind.config.schema import Faults
from scimind.data.content.fields import KINDS, TAG_OF_KIND, Field
from scimind.data.content.notations import REACTION_PARTS
from scimind.data.content.numbers import MOST_DIGITS, TRANSFORMS, NumberFormat
from scimind.data.tasks.conversations import ConversationTask
from scimind.data.tasks.negatives import NEGATIVES
from scimind.data.tasks.outputs import GROUPS, OUTPUTS, Output
from scimind.data.tasks.pretraining import PretrainTask
from scimind.data.tasks.records import Only, Wide
from scimind.data.tasks.task import CONFLICTS, PLACE, Task
from scimind.errors import ConfigError, SciMindError
from scimind.tokenizer.alphabet import TAG_CHARACTERS

FOLDER = Path(__file__).with_name("builtin")
TASKS = (
    "smiles2text",
    "text2smiles",
    "smiles2properties",
    "properties2smiles",
    "protein_function",
    "general_function",
    "catalytic_activity",
    "domain_motif",
    "protein_design",
    "promoter",
    "moa",
    "molecular_description_generation",
    "description_guided_molecule_design",
    "forward_synthesis",
    "retrosynthesis",
    "reagent",
    "iupac2smiles",
    "smiles2iupac",
    "iupac2formula",
    "smiles2formula",
    "bbbp",
    "hiv",
    "clintox",
    "sider",
    "esol",
    "lipophilicity",
    "property_prediction",
    "pretrain",
    "conversation",
)
ALLOW_CODE = "run a task's Python file also if only a file names it, not --task; its code can do anything that you can"

_TEXT = Value(str, filled=True)
_WORDS = Items(Value(), default=())  # numbers and booleans count as the words they are written as
_FIELD = Section(
    {
        "kind": Value(str, "text", choices=tuple(KINDS)),
        "columns": Items(Value()),
        "fallback": Value(str, ""),
        "optional": Value(bool, False),
        "default": Value(str, "", filled=True),
        "part": Value(str, "", choices=REACTION_PARTS),
        "fenced": Value(str, None, choices=tuple(TAG_CHARACTERS)),
        "labels": Named(_WORDS),
        "digits": Value(int, low=0, high=MOST_DIGITS),
        "unit": Value(str),
        "transform": Value(str, choices=TRANSFORMS),
    }
)
_OF_NUMBERS = ("digits", "unit", "transform")
_OUTPUT = Section(
    {
        "kind": Value(str, "text", choices=tuple(OUTPUTS)),
        "choices": _WORDS,
        "positive": Value(str, "", filled=True),
        "training_mean": Value(float),
    },
    always=True,
)
_WIDE = Section(
    {"names": Value(str, filled=True), "values": Value(str, filled=True), "columns": Named(Value(str, filled=True))},
    required=("names", "values", "columns"),
)
_TASK = Section(
    {
        "name": _TEXT,
        "description": Value(str, ""),
        "question": _TEXT,
        "answer": _TEXT,
        "fields": Named(_FIELD),
        "key": Value(str, "", filled=True),
        "headerless": Items(Value(str), default=()),
        "output": _OUTPUT,
        "metrics": Value(str, choices=tuple(GROUPS)),
        "conflicts": Value(str, "", choices=tuple(CONFLICTS)),
        "negatives": Value(str, "", choices=tuple(NEGATIVES)),
        "only": Named(_WORDS),
        "wide": _WIDE,
    },
    required=("name", "question", "answer", "fields"),
)


def find_task(name: str | Path | Task) -> Task:
    """Returns a task.

    Args:
        name: One of `TASKS`; the path of a `.yaml` file that defines a task; the path of a `.py` file whose `TASK` is
            one; or a task, which is returned unchanged.

    Raises:
        ConfigError: Keys or values in the file are wrong; all faults are listed.
        SciMindError: The task or file does not exist.
    """
    if isinstance(name, Task):
        return name
    if name in TASKS:
        return _built_in(str(name))
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return load_task(path)
    if path.suffix == ".py":
        return _import_task(path)
    raise SciMindError(
        f"task ({str(name)!r}) must be one of {', '.join(TASKS)}; or give a file, my_task.yaml or my_task.py"
    )


def refuse_code(task: str, source: object, *, allow_code: bool, named: str | None = None) -> None:
    """Checks that a task which a file names is not Python code that the user did not ask for.

    Args:
        task: The task that the file names.
        source: The file, for the message.
        allow_code: Whether the user trusts the file's choice of code.
        named: The task that the user names too, None if there is no way to name one.

    Raises:
        SciMindError: It is.
    """
    if Path(task).suffix == ".py" and not allow_code and named != task:
        raise SciMindError(
            f"{source}: task ({task}) is a Python file, which would run; add --allow_code if you trust it"
        )


@cache
def _built_in(name: str) -> Task:
    if name == "conversation":
        return ConversationTask(name, description="Train on conversation JSON directly.")
    if name == "pretrain":
        return PretrainTask.standard()
    return replace(load_task(FOLDER / f"{name}.yaml"), synonyms=True)


def load_task(path: Path) -> Task:
    """Returns the task that a YAML file defines.

    Raises:
        ConfigError: The file cannot be read or is faulty; all faults are listed.
    """
    return task_of_tree(read_file(path, "name: my_task", f"{FOLDER}/"), path)


def task_of_tree(content: Mapping[str, Any], path: Path | None = None) -> Task:
    """Returns the task that the content of a YAML file defines.

    Args:
        content: The content.
        path: The file, for messages; None if there is none.

    Raises:
        ConfigError: It is faulty; all faults are listed.
    """
    faults = Faults(_TASK)
    tree = _TASK.check(content, "", faults)
    faults.extend(_broken_rules(tree))
    if faults:
        raise ConfigError(faults, path)
    return _build(tree)


def _broken_rules(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each part of a checked task that contradicts another; faulty settings are missing."""
    output = tree.get("output", {})
    choices = _words(output.get("choices", ()))
    positive = output.get("positive")
    if positive and positive not in choices:
        yield f"output.positive ({positive!r}) must be one of {', '.join(choices)}"
    if "fields" not in tree:
        return
    fields = tree["fields"]
    for template in ("question", "answer"):
        for place in PLACE.findall(tree.get(template, "")):
            if place not in (*fields, "choices"):
                yield f"{template} uses {{{place}}}, which is not one of the fields {', '.join(fields)}"
    for setting, names in (("headerless", tree.get("headerless", ())), ("key", [tree.get("key")])):
        for name in names:
            if name and name not in fields:
                yield f"{setting} ({name!r}) must be one of {', '.join(fields)}"
    for name in map(tree.get("wide", {}).get, ("names", "values")):
        if name and name not in fields:
            yield f"wide ({name!r}) must name one of {', '.join(fields)}"
    for name, spec in fields.items():
        if spec.get("part") and TAG_OF_KIND.get(spec.get("kind", "text")) != "smiles":
            yield f"fields.{name}.part needs the kind smiles or reaction"
    if tree.get("negatives") and not any(len(spec.get("labels", ())) == 2 for spec in fields.values()):
        yield "negatives need a field of kind label with two labels; add one"
    yield from _broken_rules_of_numbers(tree)


def _broken_rules_of_numbers(tree: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each setting of numbers that does not fit the rest of a checked task."""
    for name, spec in tree["fields"].items():
        given = [setting for setting in _OF_NUMBERS if setting in spec]
        if given and spec.get("kind") != "number":
            yield f"fields.{name}.{given[0]} is only for fields of kind number; set kind to number, or leave it out"
        elif fault := _number_format(spec).fault():
            yield f"fields.{name}: {fault}"
    output, places = tree.get("output", {}), PLACE.findall(tree.get("answer", ""))
    if output.get("kind") == "number":
        kinds = [tree["fields"].get(place, {}).get("kind") for place in places]
        if kinds != ["number"] or tree["answer"].strip() != f"{{{places[0]}}}":
            yield "output.kind number needs an answer that is one field of kind number, such as '{value}'"
    elif "training_mean" in output:
        yield "output.training_mean is only for output.kind number; leave it out"


def _build(tree: Mapping[str, Any]) -> Task:
    """Returns the task that a checked tree defines."""
    output = tree["output"]
    choices = _words(output["choices"])
    return Task(
        name=tree["name"],
        question=tree["question"],
        answer=tree["answer"],
        fields=tuple(_field(name, spec, choices) for name, spec in tree["fields"].items()),
        key=tree["key"],
        headerless=tuple(tree["headerless"]),
        output=Output(output["kind"], choices, output["positive"], output.get("training_mean")),
        metrics=tree.get("metrics", OUTPUTS[output["kind"]]),
        conflicts=tree["conflicts"],
        negatives=tree["negatives"],
        description=tree["description"],
        only=Only({column: _words(values) for column, values in tree.get("only", {}).items()}),
        wide=Wide(**tree["wide"]) if "wide" in tree else Wide(),
    )


def _field(name: str, spec: Mapping[str, Any], choices: tuple[str, ...]) -> Field:
    """Returns a field; the labels of one that lists none are the choices of the output, if there are any."""
    labels = spec.get("labels") or (dict.fromkeys(choices, ()) if spec["kind"] == "label" else {})
    return Field(
        name=name,
        kind=spec["kind"],
        columns=tuple(column.strip().lower() for column in _words(spec.get("columns", [name]))),
        fallback=spec["fallback"].lower(),
        optional=spec["optional"] or bool(spec["default"]),
        default=spec["default"],
        part=spec["part"],
        fenced=spec["fenced"],
        labels={label: _words(spellings) for label, spellings in labels.items()},
        number=_number_format(spec),
    )


def _number_format(spec: Mapping[str, Any]) -> NumberFormat:
    return NumberFormat(**{name: spec[name] for name in _OF_NUMBERS if name in spec})


def _words(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _import_task(path: Path) -> Task:
    """Returns `TASK` of a Python file, imported under the file's name so that other processes can import it too."""
    if not path.is_file():
        raise SciMindError(f"{path}: no such file; check the path")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.import_module(path.stem)
    if Path(module.__file__ or "").resolve() != path.resolve():
        raise SciMindError(f"{path}: another module is named {path.stem}; rename the file")
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task):
        raise SciMindError(f"{path}: does not define TASK as a scimind.data.Task; add it")
    return task
