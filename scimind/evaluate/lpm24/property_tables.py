"""Names of properties and the combinations withheld from the training data, as published by L+M-24."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scimind.errors import DataError
from scimind.evaluate.predictions import lines_to_end
from scimind.small_files import parse_small_json

SEPARATOR = "__"


@dataclass(frozen=True)
class PropertyTables:
    """The names of properties to look for.

    Attributes:
        leaves: Full names of the tree's properties, `category__group__name`, each once; empty if not given.
        combinations: Pairs of names that were withheld from the training data; empty if not given.
        names: Lower-cased last parts of all of these, each once, in order.
    """

    leaves: tuple[str, ...] = ()
    combinations: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()


def read_property_tables(properties: Path | None, withheld: Path | None) -> PropertyTables:
    """Reads L+M-24's `nested_props.json` and `withheld_combos.txt`.

    Args:
        properties: A JSON object of categories, each a list of names and of objects of the same form.
        withheld: One pair of names per line, written as a Python tuple, optionally followed by a tab and a count.

    Raises:
        DataError: A file is missing or has another format.
    """
    leaves = tuple(dict.fromkeys(_flatten(_tree(properties), properties))) if properties else ()
    combinations = tuple(_combinations(withheld)) if withheld else ()
    words = [short_name(leaf) for leaf in leaves]
    words += [short_name(name) for pair in combinations for name in pair]
    if "" in words:
        raise DataError("a property has an empty name; remove it", properties if leaves else withheld)
    return PropertyTables(leaves, combinations, tuple(dict.fromkeys(words)))


def short_name(name: str) -> str:
    """Returns the part of a property's name that appears in captions, in lower case."""
    return name.split(SEPARATOR)[-1].lower().strip()


def _tree(path: Path) -> dict[str, Any]:
    try:
        tree = parse_small_json("\n".join(lines_to_end(path)))
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{error}; give L+M-24's nested_props.json", path) from error
    if not tree:
        raise DataError("must be an object of categories; give L+M-24's nested_props.json", path)
    return tree


def _flatten(tree: dict[str, Any], path: Path | None) -> Iterable[str]:
    for key, entries in tree.items():
        if not isinstance(entries, list):
            raise DataError(f"{key!r} must be a list of names and groups", path)
        for entry in entries:
            if isinstance(entry, dict):
                yield from (key + SEPARATOR + name for name in _flatten(entry, path))
            elif isinstance(entry, str):
                yield key + SEPARATOR + entry
            else:
                raise DataError(f"{key!r} holds {entry!r}, which is neither a name nor a group", path)


def _combinations(path: Path) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(lines_to_end(path), 1):
        try:
            pair = ast.literal_eval(line.strip().split("\t")[0])
        except (SyntaxError, MemoryError, RecursionError, ValueError) as error:  # nested too deeply
            raise DataError("not a pair of names such as ('bitter', 'sweet')", path, number, line) from error
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(name, str) for name in pair)):
            raise DataError("not a pair of names such as ('bitter', 'sweet')", path, number, line)
        yield pair
