"""`scimind experts`: divides neurons into experts, assigns them to modalities, tunes routers, measures partitions."""

from __future__ import annotations

import argparse
import importlib

OVERRIDES = True

# Each sub-verb has a module scimind.cli.experts.NAME with `add_arguments(parser)` and `run(args) -> int`.
SUB_VERBS = {
    "build": "divide the neurons of each layer into experts of equal size",
    "assign": "choose the experts of each modality and number them consecutively",
    "report": "measure a partition of neurons into experts",
    "tune": "tune the gates of the learned router on domain data",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-verbs; their modules are cheap to import."""
    children = parser.add_subparsers(dest="sub_verb", metavar="ACTION", required=True)
    for name, summary in SUB_VERBS.items():
        module = importlib.import_module(f"scimind.cli.experts.{name}")
        text = f"{summary[0].upper()}{summary[1:]}."
        child = children.add_parser(name, help=summary, description=text, allow_abbrev=False)
        module.add_arguments(child)
        child.set_defaults(sub_module=module)


def run(args: argparse.Namespace) -> int:
    """Runs the sub-verb; returns the exit status."""
    return int(args.sub_module.run(args))
