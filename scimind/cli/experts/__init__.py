"""`scimind experts`: divide the neurons into experts, choose them for modalities, tune their routers, measure them."""

from __future__ import annotations

import argparse
import importlib

OVERRIDES = True

# Each has a module scimind.cli.experts.NAME with `add_arguments(parser)` and `run(args) -> int`.
SUB_VERBS = {
    "build": "divide each layer's neurons into experts of the same size",
    "assign": "choose each modality's experts, and number them so that they are one run",
    "report": "measure a partition",
    "tune": "tune the gates of router learned on domain data",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-verbs; their modules load nothing heavy."""
    children = parser.add_subparsers(dest="sub_verb", metavar="ACTION", required=True)
    for name, summary in SUB_VERBS.items():
        module = importlib.import_module(f"scimind.cli.experts.{name}")
        child = children.add_parser(name, help=summary, description=f"{summary.capitalize()}.", allow_abbrev=False)
        module.add_arguments(child)
        child.set_defaults(sub_module=module)


def run(args: argparse.Namespace) -> int:
    """Runs the sub-verb; returns the exit status."""
    return int(args.sub_module.run(args))
