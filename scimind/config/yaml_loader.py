"""Parsing YAML with limits, so that no text takes long, fills the memory or ends in anything but a value or a fault."""

from __future__ import annotations

from typing import Any

import yaml

from scimind.errors import ConfigError, excerpt
from scimind.small_files import MOST_LEVELS

# Nodes after aliases: a shipped configuration has about 200, and an alias may stand for many.
_MOST_NODES = 100_000
_LONGEST_NUMBER = 40
_TOO_DEEP = f"nested deeper than {MOST_LEVELS} levels"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """A safe loader that rejects a duplicate key, of which YAML would silently keep the last, and enforces the limits.

    Sizes are counted while nodes are composed: an alias counts as much as what it stands for, which is not visited.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._level = self._count = 0
        self._extent: dict[int, tuple[int, int]] = {}  # nodes and levels of each complete node

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """Reads a bracket; the scanner is ahead of the composer, and slow with many of them."""
        if self.flow_level >= MOST_LEVELS:
            raise yaml.scanner.ScannerError(None, None, _TOO_DEEP, self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Returns the next node; raises an error beyond a limit."""
        mark = self.peek_event().start_mark
        is_alias = self.check_event(yaml.AliasEvent)
        self._level += 1
        self._count += 1
        if self._level > MOST_LEVELS:
            raise yaml.composer.ComposerError(None, None, _TOO_DEEP, mark)
        node = super().compose_node(parent, index)
        self._level -= 1
        if is_alias:
            if id(node) not in self._extent:
                raise yaml.composer.ComposerError(None, None, "an alias inside what it stands for; remove it", mark)
            self._count += self._extent[id(node)][0] - 1
            if self._level + self._extent[id(node)][1] > MOST_LEVELS:
                raise yaml.composer.ComposerError(None, None, _TOO_DEEP, mark)
        else:
            self._extent[id(node)] = self._measured(node)
        if self._count > _MOST_NODES:
            problem = f"more than {_MOST_NODES:,} values, counting each use of an alias; use fewer"
            raise yaml.composer.ComposerError(None, None, problem, mark)
        return node

    def _measured(self, node: yaml.Node | None) -> tuple[int, int]:
        """Returns the number of nodes at and below a node whose children are measured, and their levels."""
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        else:
            return 1, 1
        extents = [self._extent[id(child)] for child in children]
        return 1 + sum(nodes for nodes, _ in extents), 1 + max((levels for _, levels in extents), default=0)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Returns the value of a node; a number that is too long or a date that does not exist is an error."""
        if node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            problem = f"a number of {len(node.value):,} characters; give a shorter one, or text in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, OverflowError) as error:
            problem = f"{excerpt(str(node.value))} is not a valid number or date ({error}); put text in quotes"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Returns the mapping; raises an error if a key is given twice."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.constructor.ConstructorError(None, None, "a name must be plain text", key_node.start_mark)
            if key in seen:
                problem = f"{key!r} is given twice; keep one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str, source: str = "") -> Any:
    """Returns the value of a YAML text.

    Args:
        text: The text.
        source: The file that it is from; empty for a text on the command line.

    Raises:
        ConfigError: The text is not valid YAML, gives a name twice, or exceeds a limit; names source and line.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        where = f"{source}:{mark.line + 1}" if source and mark is not None else source or None
        raise ConfigError(f"not valid YAML: {' '.join(str(reason).split())}", where) from error
