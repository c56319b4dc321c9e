"""The parts of a schema: nodes that check a part of a tree of settings, and the faults that they find.

A node has `check(value, name, faults)`, which returns the value in its final form (numbers written as text become
numbers, defaults are filled in), or `INVALID` after appending a sentence to `faults`. Nothing here knows a particular
schema: run configurations, tasks, mixtures and rank tables are all checked by the nodes of `scimind.config.nodes`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from scimind.errors import excerpt


class _Marker:
    """A value that cannot occur in YAML."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


INVALID: Any = _Marker("INVALID")
UNSET: Any = _Marker("UNSET")


class Node(Protocol):
    """A node of a schema."""

    def check(self, value: Any, name: str, faults: Faults) -> Any:
        """Returns the checked value, or INVALID with a fault appended."""
        ...


class Faults(list[str]):
    """A list with a sentence for each fault in a tree of settings.

    Args:
        root: The schema of the whole tree, in which an unknown key may belong somewhere else.
    """

    def __init__(self, root: Node) -> None:
        super().__init__()
        self.root = root

    def add_unknown(self, key: object, section: str, siblings: Iterable[str]) -> None:
        """Appends a fault for an unknown key that suggests the place where this name belongs, else the nearest sibling.

        Args:
            key: The key.
            section: Dotted name of the section that contains it, empty for the whole tree.
            siblings: The names allowed in the section.
        """
        homes = homes_of(str(key), self.root)
        valid = homes[0] if homes else join(section, nearest(str(key), siblings))
        self.append(f"{join(section, key)} is not a setting; the nearest valid one is {valid}")


def show(value: Any) -> str:
    """Returns a value in the form used in messages, cut to 80 characters."""
    return excerpt(repr(value))


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate most similar to `word`; None if there are no candidates."""
    return max(sorted(candidates), key=lambda other: difflib.SequenceMatcher(None, word, other).ratio(), default=None)


def join(name: str, key: object) -> str:
    """Returns the dotted name of `key` inside `name`."""
    return f"{name}.{key}" if name else str(key)


def dotted_names(node: Node, prefix: str = "") -> Iterator[str]:
    """Yields the dotted name of every section and setting in `node` that can be reached without a list."""
    fields = {**getattr(node, "fields", {}), **getattr(node, "others", {})}
    for variant in getattr(node, "variants", {}).values():
        fields.update(variant.fields)
    for key, child in fields.items():
        name = join(prefix, key)
        yield name
        yield from dotted_names(child, name)


def homes_of(key: str, root: Node) -> list[str]:
    """Returns the dotted names in `root` that end in `key`, the shortest first."""
    homes = [name for name in dotted_names(root) if name.rpartition(".")[2] == key]
    return sorted(homes, key=lambda name: name.count("."))
