"""Tasks by name: those that come with the package, and those of a user's YAML or Python file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scimind.config.schema import nearest
from scimind.data.content.fields import KINDS, SEQUENCE_KINDS, Field
from scimind.data.tasks.conversations import ConversationTask
from scimind.data.tasks.negatives import NEGATIVES
from scimind.data.tasks.outputs import GROUPS, OUTPUTS, Output
from scimind.data.tasks.pretraining import PretrainTask
from scimind.data.tasks.task import CONFLICTS, PLACE, Task
from scimind.errors import ConfigError, SciMindError

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
    "pretrain",
    "conversation",
)

_KEYS = {
    "name": str,
    "description": str,
    "question": str,
    "answer": str,
    "fields": Mapping,
    "key": str,
    "headerless": list,
    "output": Mapping,
    "metrics": str,
    "conflicts": str,
    "negatives": str,
}
_FIELD_KEYS = {"kind": str, "columns": list, "fallback": str, "optional": bool, "fenced": str, "labels": Mapping}
_OUTPUT_KEYS = {"kind": str, "choices": list, "positive": str}


def find_task(name: str | Path | Task) -> Task:
    """Returns a task.

    Args:
        name: One of `TASKS`; the path of a `.yaml` that describes one; the path of a `.py` file whose `TASK` is one; or
            a task, which is returned as it is.

    Raises:
        ConfigError: The file's keys or values are faulty; all faults are named.
        SciMindError: There is no such task or file.
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


@cache
def _built_in(name: str) -> Task:
    if name == "conversation":
        return ConversationTask(name, description="Conversation JSON, as it is.")
    if name == "pretrain":
        return PretrainTask.standard()
    return load_task(FOLDER / f"{name}.yaml")


def load_task(path: Path) -> Task:
    """Returns the task that a YAML file describes.

    Raises:
        ConfigError: The file is faulty; all faults are named.
        SciMindError: It cannot be read.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SciMindError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SciMindError(f"{path}: is no YAML ({str(error).splitlines()[0]}); mend it") from error
    faults: list[str] = []
    if _check(tree, _KEYS, "a task", faults):
        task = _build(tree, faults)
        if not faults:
            return task
    raise ConfigError(faults, path)


def _check(tree: Any, keys: Mapping[str, Any], what: str, faults: list[str]) -> bool:
    """Notes unknown keys and values of another kind; returns whether the tree can be looked at further."""
    if not isinstance(tree, Mapping):
        faults.append(f"{what} must be written as names and values")
        return False
    before = len(faults)
    for key, value in tree.items():
        if key not in keys:
            faults.append(f"{key} is no key of {what}; the nearest valid one is {nearest(str(key), keys)}")
        elif not isinstance(value, keys[key]):
            kind = {Mapping: "names and values", list: "a list", str: "text", bool: "true or false"}[keys[key]]
            faults.append(f"{key} ({value!r}) of {what} must be {kind}")
    return len(faults) == before


def _choice(value: str, choices: Any, name: str, faults: list[str]) -> str:
    if value not in choices:
        faults.append(f"{name} ({value!r}) must be one of {', '.join(choices)}")
    return value


def _build(tree: Mapping[str, Any], faults: list[str]) -> Task:
    for name in ("name", "question", "answer", "fields"):
        if not tree.get(name):
            faults.append(f"{name} is missing; give it")
    fields = tuple(_field(name, spec, faults) for name, spec in (tree.get("fields") or {}).items())
    names = [spec.name for spec in fields]
    output = tree.get("output", {})
    if not _check(output, _OUTPUT_KEYS, "output", faults):
        output = {}
    choices = tuple(map(str, output.get("choices", ())))
    kind = _choice(output.get("kind", "text"), OUTPUTS, "output.kind", faults)
    read = Output(kind if kind in OUTPUTS else "text", choices)
    if "positive" in output:
        read = Output(read.kind, choices, _choice(output["positive"], choices, "output.positive", faults))
    for template in ("question", "answer"):
        for place in PLACE.findall(tree.get(template) or ""):
            if place not in (*names, "choices"):
                faults.append(f"{template} has {{{place}}}, which is none of the fields {', '.join(names)}")
    for name in [*tree.get("headerless", ()), *([tree["key"]] if "key" in tree else [])]:
        _choice(name, names, "a field of headerless or key", faults)
    if "negatives" in tree:
        _choice(tree["negatives"], NEGATIVES, "negatives", faults)
        if not any(len(spec.labels) == 2 for spec in fields):
            faults.append("negatives need a field of kind label with two labels; give it")
    return Task(
        name=str(tree.get("name")),
        question=tree.get("question") or "",
        answer=tree.get("answer") or "",
        fields=fields,
        key=tree.get("key", ""),
        headerless=tuple(tree.get("headerless", ())),
        output=read,
        metrics=_choice(tree["metrics"], GROUPS, "metrics", faults) if "metrics" in tree else OUTPUTS[read.kind],
        conflicts=_choice(tree.get("conflicts", "keep"), CONFLICTS, "conflicts", faults),
        negatives=tree.get("negatives", ""),
        description=tree.get("description", ""),
    )


def _field(name: str, spec: Any, faults: list[str]) -> Field:
    if not _check(spec, _FIELD_KEYS, f"field {name}", faults):
        return Field(str(name), "text", ())
    labels = spec.get("labels", {})
    for label, spellings in labels.items():
        if not isinstance(label, str) or not isinstance(spellings, list):
            faults.append(
                f"label {label!r} of field {name} must be text, in quotes if need be, with a list of spellings"
            )
            labels = {}
    if "fenced" in spec:
        _choice(spec["fenced"], SEQUENCE_KINDS, f"fenced of field {name}", faults)
    return Field(
        name=str(name),
        kind=_choice(spec.get("kind", "text"), KINDS, f"kind of field {name}", faults),
        columns=tuple(str(column).strip().lower() for column in spec.get("columns", [name])),
        fallback=spec.get("fallback", "").lower(),
        optional=spec.get("optional", False),
        fenced=spec.get("fenced"),
        labels={label: tuple(map(str, spellings)) for label, spellings in labels.items()},
    )


def _import_task(path: Path) -> Task:
    """Returns `TASK` of a Python file, imported under its own name, so that other processes can import it as well."""
    if not path.is_file():
        raise SciMindError(f"{path}: no such file; check the path")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.import_module(path.stem)
    if Path(module.__file__ or "").resolve() != path.resolve():
        raise SciMindError(f"{path}: another module is called {path.stem}; rename the file")
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task):
        raise SciMindError(f"{path}: needs TASK = a scimind.data.Task; define it")
    return task
