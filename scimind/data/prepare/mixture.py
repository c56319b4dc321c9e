"""Mixtures of tasks, as a YAML file describes them.

    name: multi
    temperature: 2              # shares by size^(1/2); 1 keeps the proportions
    records: 100000             # to learn from; by default as many as there are
    tasks:
      captions: {task: smiles2text, input: [train.csv]}
      promoters: {task: promoter, input: [positives.txt], weight: 0.5}

Weights are relative to each other; give them to all tasks or to none. Paths are relative to the YAML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from scimind.config.schema import nearest
from scimind.data.prepare.options import PrepareOptions, check_name
from scimind.data.prepare.pipeline import prepare_sources
from scimind.data.prepare.sources import LabelledFile, TaskSource
from scimind.data.prepare.summary import PrepareSummary
from scimind.data.tasks.registry import find_task
from scimind.errors import ConfigError, SciMindError
from scimind.tokenizer import TokenCodec

_KEYS = ("name", "temperature", "records", "tasks")
_TASK_KEYS = ("task", "input", "weight")


@dataclass(frozen=True)
class Mixture:
    """Several tasks to learn at once; see the module for the file."""

    name: str
    sources: tuple[TaskSource, ...]
    temperature: float = 1.0
    records: int | None = None


def prepare_mixture(
    mixture: str | Path | Mixture,
    output_dir: str | Path,
    *,
    codec: TokenCodec,
    options: PrepareOptions | None = None,
    name: str | None = None,
    **settings: Any,
) -> PrepareSummary:
    """Writes `name.mindrecord` to learn from and `name_TASK_eval.mindrecord` of each task; returns the summary.

    Args:
        mixture: The mixture, or its YAML file.
        output_dir: Folder for the results.
        codec: The vocabulary.
        options: All settings; by default those of the command.
        name: First part of the files' names; by default the mixture's.
        settings: Fields of `PrepareOptions` by name, in place of those of `options`.

    Raises:
        ConfigError: The file is faulty; all faults are named.
        SciMindError: As for `prepare`.
    """
    mixture = mixture if isinstance(mixture, Mixture) else read_mixture(Path(mixture))
    return prepare_sources(
        mixture.sources,
        output_dir,
        check_name(name or mixture.name),
        codec,
        replace(options or PrepareOptions(), **settings),
        temperature=mixture.temperature,
        records=mixture.records,
    )


def read_mixture(path: Path) -> Mixture:
    """Returns the mixture that a YAML file describes.

    Raises:
        ConfigError: The file is faulty; all faults are named.
        SciMindError: It cannot be read, or a task cannot be found.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SciMindError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SciMindError(f"{path}: is no YAML ({str(error).splitlines()[0]}); mend it") from error
    faults: list[str] = []
    if not isinstance(tree, Mapping) or not isinstance(tree.get("tasks"), Mapping) or not tree["tasks"]:
        raise ConfigError("a mixture needs tasks: NAME: {task: …, input: […]}", path)
    _unknown(tree, _KEYS, "a mixture", faults)
    temperature, records = tree.get("temperature", 1), tree.get("records")
    if not _is_positive(temperature):
        faults.append(f"temperature ({temperature!r}) must be a number above 0")
    if records is not None and (type(records) is not int or records < 1):
        faults.append(f"records ({records!r}) must be a whole number from 1")
    sources = [source for name, spec in tree["tasks"].items() if (source := _source(name, spec, path, faults))]
    weighted = [source for source in sources if source.weight is not None]
    if weighted and len(weighted) < len(sources):
        faults.append("a weight is given to some tasks; give it to all or to none")
    if faults:
        raise ConfigError(faults, path)
    return Mixture(str(tree.get("name", path.stem)), tuple(sources), float(temperature), records)


def _source(name: Any, spec: Any, path: Path, faults: list[str]) -> TaskSource | None:
    if not isinstance(spec, Mapping) or not isinstance(spec.get("input"), (list, str)) or not spec["input"]:
        faults.append(f"task {name} needs input: [FILE, …]")
        return None
    _unknown(spec, _TASK_KEYS, f"task {name}", faults)
    if spec.get("weight") is not None and not _is_positive(spec["weight"]):
        faults.append(f"weight ({spec['weight']!r}) of task {name} must be a number above 0")
    task = str(spec.get("task", name))
    if task.endswith((".yaml", ".yml", ".py")):
        task = str(path.parent / task)
    texts = [spec["input"]] if isinstance(spec["input"], str) else spec["input"]
    files = [LabelledFile.parse(text, path.parent) for text in map(str, texts)]
    return TaskSource(find_task(task), files, check_name(str(name)), spec.get("weight"))


def _unknown(tree: Mapping[Any, Any], keys: tuple[str, ...], what: str, faults: list[str]) -> None:
    for key in tree:
        if key not in keys:
            faults.append(f"{key} is no key of {what}; the nearest valid one is {nearest(str(key), keys)}")


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
