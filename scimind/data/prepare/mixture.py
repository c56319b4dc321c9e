"""Mixtures of tasks, described by a YAML file.

    name: multi
    temperature: 2              # shares by size^(1/2); 1 keeps the proportions
    records: 100000             # training records in total; by default as many as there are
    tasks:
      captions: {task: smiles2text, input: [train.csv]}
      promoters: {task: promoter, input: [positives.txt], weight: 0.5}
      drugs: {task: moa, input: [drugs.csv], columns: {molecule: drug_smiles, mechanism: 3}}
      retro: {task: retrosynthesis, input: [retrosynthesis.json], only: {metadata.split: [train]}}

Weights are relative to each other; give them to all tasks or to none. Paths are relative to the YAML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scimind.config.nodes import Items, Named, Section, Value
from scimind.config.reading import read_file
from scimind.config.schema import Faults
from scimind.data.prepare.options import PrepareOptions, check_name
from scimind.data.prepare.pipeline import prepare_sources
from scimind.data.prepare.sources import LabelledFile, TaskSource
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.tasks.registry import find_task, refuse_code
from scimind.errors import ConfigError
from scimind.tokenizer import TokenCodec

_SOURCE = Section(
    {
        "task": Value(str, filled=True),
        "input": Items(Value(str, filled=True), single=True, filled=True),
        "weight": Value(float, None, low=1e-6, high=1e6),
        "columns": Named(Value(str, also=int)),
        "only": Named(Items(Value(str, filled=True, also=int), filled=True)),
    },
    required=("input",),
)
_MIXTURE = Section(
    {
        "name": Value(str, filled=True, also=int),
        "temperature": Value(float, 1.0, low=0.1, high=1000),
        "records": Value(int, None, low=1, high=100_000_000),
        "tasks": Named(_SOURCE),
    },
    required=("tasks",),
)


@dataclass(frozen=True)
class Mixture:
    """Several tasks to train on together; see the module for the file."""

    name: str
    sources: tuple[TaskSource, ...]
    temperature: float = 1.0
    records: int | None = None
    definitions: tuple[Path, ...] = ()


def prepare_mixture(
    mixture: str | Path | Mixture,
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    options: PrepareOptions | None = None,
    name: str | None = None,
    allow_code: bool = False,
    **settings: Any,
) -> PrepareSummary:
    """Writes `name.mindrecord` for training and `name_TASK_eval.mindrecord` for each task; returns the summary.

    Args:
        mixture: The mixture, or its YAML file.
        output_dir: Folder for the results.
        codec: The vocabulary.
        options: All settings; by default those of the command.
        name: Prefix of the files' names; by default the mixture's name.
        allow_code: Whether the YAML file may name tasks in Python files, whose code runs.
        settings: Fields of `PrepareOptions` by name, which override those of `options`.

    Raises:
        ConfigError: The file is faulty; all faults are listed.
        SciMindError: As for `prepare`.
    """
    mixture = mixture if isinstance(mixture, Mixture) else read_mixture(Path(mixture), allow_code=allow_code)
    return prepare_sources(
        mixture.sources,
        output_dir,
        check_name(name or mixture.name),
        codec,
        replace(options or PrepareOptions(), **settings),
        temperature=mixture.temperature,
        records=mixture.records,
        definitions=mixture.definitions,
    )


def read_mixture(path: Path, *, allow_code: bool = False) -> Mixture:
    """Returns the mixture that a YAML file describes.

    Args:
        path: The file.
        allow_code: Whether it may name tasks in Python files, whose code runs.

    Raises:
        ConfigError: The file cannot be read or is faulty; all faults are listed.
        SciMindError: A task cannot be found or is code that may not run, or a name is not valid.
    """
    faults = Faults(_MIXTURE)
    tree = _MIXTURE.check(read_file(path, "tasks: {captions: {task: smiles2text, input: [train.csv]}}"), "", faults)
    weights = [spec["weight"] for spec in tree.get("tasks", {}).values() if "weight" in spec]
    if None in weights and any(weights):
        faults.append("only some tasks have a weight; give one to all tasks or to none")
    if faults:
        raise ConfigError(faults, path)
    for name, spec in tree["tasks"].items():
        refuse_code(spec.get("task", name), path, allow_code=allow_code)
    sources = tuple(_source(name, spec, path.parent) for name, spec in tree["tasks"].items())
    tasks = [path.parent / spec.get("task", name) for name, spec in tree["tasks"].items()]
    name = str(tree.get("name", path.stem))
    return Mixture(name, sources, tree["temperature"], tree["records"], (path, *tasks))


def _source(name: str, spec: Mapping[str, Any], folder: Path) -> TaskSource:
    """Returns one task of a mixture with its files, whose paths are relative to `folder`."""
    task = spec.get("task", name)
    if task.endswith((".yaml", ".yml", ".py")):
        task = str(folder / task)
    texts = [spec["input"]] if isinstance(spec["input"], str) else spec["input"]
    files = [LabelledFile.parse(text, folder) for text in texts]
    chosen = {field: str(column) for field, column in spec.get("columns", {}).items()}
    only = {column: tuple(map(str, values)) for column, values in spec.get("only", {}).items()}
    return TaskSource(find_task(task).with_columns(chosen).with_only(only), files, check_name(name), spec["weight"])
