"""Reads YAML files, and for a run also `--a.b=value` overrides, into one tree of plain values."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scimind.config.canonical import move_to_one_place
from scimind.config.schema import show
from scimind.config.shipped import configuration_file
from scimind.config.yaml_loader import parse_yaml
from scimind.errors import ConfigError, excerpt
from scimind.small_files import MOST_LEVELS, SmallFileError, read_small

HERE = "here:"  # before a path in a YAML file: the path is relative to the file's folder
_MOST_BASES = 10
_LONGEST_INDEX = 6  # digits


def read_yaml(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Returns the settings in a YAML file, merged over those of its `base`.

    A base is a path relative to the file's folder, or the name of a shipped configuration. In every other setting,
    `here:` before a path means the file's folder.

    Sections are merged name by name; a list or a single setting replaces that of the base.

    Args:
        path: The file.
        above: The files of which it is the base, directly or not.

    Raises:
        ConfigError: The file or its base cannot be read, is not YAML, or holds no settings.
    """
    tree = read_file(path, "run_mode: finetune", "configs/")
    _locate(tree, path.parent, set())
    if "base" not in tree:
        return tree
    base = tree.pop("base")
    if not isinstance(base, str) or not base:
        raise ConfigError(f"base ({show(base)}) must be the path of a YAML file, relative to this one", path)
    target = configuration_file(base, path.parent)
    if any(target.resolve() == file.resolve() for file in (*above, path)):
        raise ConfigError(f"base ({base}) leads back to a file whose base it is; remove it", path)
    if len(above) >= _MOST_BASES:
        raise ConfigError(f"base ({base}) is the end of a chain of more than {_MOST_BASES} files; merge some", path)
    below = read_yaml(target, (*above, path))
    # Otherwise a data set that is repeated under its task would keep the base's value there.
    faults = move_to_one_place(below)
    if faults:
        raise ConfigError(faults, target)
    return _merged(below, tree)


def _locate(value: Any, folder: Path, seen: set[int]) -> None:
    """Replaces `here:` in every text of a tree by the absolute path of a folder, in place.

    Args:
        value: A section or a list; anything else is left as it is.
        folder: The folder.
        seen: The sections and lists that are done, since YAML's aliases can repeat one many times.
    """
    if id(value) in seen or not isinstance(value, dict | list):
        return
    seen.add(id(value))
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(item, str) and item.startswith(HERE):
            value[key] = os.path.abspath(folder / item.removeprefix(HERE))
        else:
            _locate(item, folder, seen)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Returns two trees merged; where both have a setting, `above` wins, and sections are merged."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _merged(below[key], above[key])
    return both


def read_file(path: Path, example: str, samples: str = "") -> dict[str, Any]:
    """Returns the names and values in a single YAML file; `base` has no special meaning here.

    Args:
        path: The file.
        example: An example line of such a file, for messages.
        samples: A folder with examples of such files, for messages; empty if there is none.

    Raises:
        ConfigError: The file cannot be read, is not a regular file, exceeds a limit (`scimind.small_files`,
            `scimind.config.yaml_loader`), is not YAML, gives a name twice, or does not hold names and values.
    """
    try:
        text = read_small(path).decode("utf-8")
    except FileNotFoundError as error:
        remedy = f"give the path of a YAML file such as those in {samples}" if samples else "check the path"
        raise ConfigError(f"no such file; {remedy}", path) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}; give a readable YAML file", path) from error
    except SmallFileError as error:
        raise ConfigError(f"cannot be read: it {error}; give a YAML file", path) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text; give a YAML file", path) from error
    tree = parse_yaml(text, str(path))
    if tree is None:
        remedy = f"start from one of the files in {samples}" if samples else f"give settings such as `{example}`"
        raise ConfigError(f"is empty; {remedy}", path)
    if not isinstance(tree, dict):
        raise ConfigError(f"contains {show(tree)} where settings such as `{example}` are expected", path)
    return tree


def apply_overrides(tree: dict[str, Any], overrides: Sequence[str]) -> None:
    """Applies overrides to `tree`, in order; an item of a list is named by its index, from 0.

    Args:
        tree: Settings as read; changed in place.
        overrides: `--a.b=value` or `a.b=value`, with the value in YAML.

    Raises:
        ConfigError: With all overrides that do not have that form, or whose path leads through a setting that is not a
            section.
    """
    faults: list[str] = []
    for override in overrides:
        name, equals, text = override.removeprefix("--").partition("=")
        keys = name.split(".")
        if not equals or not all(keys) or len(keys) > MOST_LEVELS:
            faults.append(f"{excerpt(override)!r} is not an override; write --section.name=value")
            continue
        try:
            fault = _put(tree, keys, parse_yaml(text) if text else "")
        except ConfigError as error:
            fault = error.faults[0]
        if fault:
            faults.append(f"--{name}: {fault}")
    if faults:
        raise ConfigError(faults)


def _put(tree: dict[str, Any], keys: list[str], value: Any) -> str:
    """Sets the value at a dotted name; returns the reason if that is impossible, else an empty text."""
    place: Any = tree
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        index: Any = key
        if isinstance(place, list):
            if not key.isdecimal() or len(key) > _LONGEST_INDEX or int(key) >= len(place):
                return f"{'.'.join(keys[:depth])} is a list of {len(place)}; give the number of an item, from 0"
            index = int(key)
        elif not isinstance(place, dict):
            return f"{'.'.join(keys[:depth])} ({show(place)}) is a setting, not a section"
        if last:
            place[index] = value
        else:
            if isinstance(place, dict) and place.get(index) is None:
                place[index] = {}
            place = place[index]
    return ""
