"""Access to the schema and the parsers for the generated pages: the only file here that names modules of `scimind`."""

from __future__ import annotations

import argparse
from typing import Any


def schema_root() -> Any:
    """Returns the schema of a whole configuration."""
    from scimind.config.sections.root import SCHEMA

    return SCHEMA


def unset() -> Any:
    """Returns the value that the schema holds for a setting without a default."""
    from scimind.config.schema import UNSET

    return UNSET


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Returns the parser of each verb of `scimind`, by name."""
    from scimind.cli import VERBS, build_parser

    return {name: _children(build_parser(name))[name] for name in VERBS}


def run_scimind_parser() -> argparse.ArgumentParser:
    """Returns the parser of `run_scimind.py`."""
    from scimind.cli.run_scimind import build_parser

    return build_parser()


def commands() -> dict[str, argparse.ArgumentParser]:
    """Returns the parser of every command that takes arguments, by its full name, with each sub-command separately."""
    found: dict[str, argparse.ArgumentParser] = {}
    for name, parser in verbs().items():
        children = _children(parser)
        if children:
            found.update({f"scimind {name} {child}": sub for child, sub in children.items()})
        else:
            found[f"scimind {name}"] = parser
    return {**found, "python run_scimind.py": run_scimind_parser()}


def _children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Returns the parsers of a parser's sub-commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}
