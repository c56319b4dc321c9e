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


# Of a name to the one that was probably meant, by difflib.
_LEAST_SIMILARITY = 0.6
_LONGEST_WORD = 80
_FEW = 8

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
        name = join(section, key)
        self.append(f"{excerpt(name)} is not a setting; {self._remedy(str(key), section, list(siblings))}")

    def _remedy(self, key: str, section: str, siblings: list[str]) -> str:
        """Returns the valid name that was probably meant, or the valid names if none is near."""
        homes = homes_of(key, self.root)
        sibling = nearest(key, siblings)
        if homes or sibling is not None:
            return f"the nearest valid one is {homes[0] if homes else join(section, sibling)}"
        leaf = nearest(key, {name.rpartition(".")[2] for name in acting_names(self.root)})
        if leaf is not None:
            return f"the nearest valid one is {homes_of(leaf, self.root)[0]}"
        if 0 < len(siblings) <= _FEW:
            return f"valid here are {', '.join(siblings)}"
        return "remove it, or see the page on configuration for the valid names"


def show(value: Any) -> str:
    """Returns a value in the form used in messages, cut to 80 characters."""
    return excerpt(repr(value))


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate most similar to `word`; None if none is similar."""
    found = difflib.get_close_matches(word[:_LONGEST_WORD], sorted(candidates), n=1, cutoff=_LEAST_SIMILARITY)
    return found[0] if found else None


def join(name: str, key: object) -> str:
    """Returns the dotted name of `key` inside `name`."""
    return f"{name}.{key}" if name else str(key)


def named_nodes(node: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Yields every section and setting in `node` that can be reached without a list, with its dotted name."""
    fields = {**getattr(node, "fields", {}), **getattr(node, "others", {})}
    for variant in getattr(node, "variants", {}).values():
        fields.update(variant.fields)
    for key, child in fields.items():
        name = join(prefix, key)
        yield name, child
        yield from named_nodes(child, name)


def acting_names(node: Node) -> Iterator[str]:
    """Yields the dotted names in `node` of all but the settings that do nothing (`Inert`, `Repeats`)."""
    for name, child in named_nodes(node):
        if not hasattr(child, "instead") and not hasattr(child, "of"):
            yield name


def homes_of(key: str, root: Node) -> list[str]:
    """Returns the dotted names of acting settings in `root` that end in `key`, the shortest first."""
    homes = [name for name in acting_names(root) if name.rpartition(".")[2] == key]
    return sorted(homes, key=lambda name: name.count("."))
