"""`scimind finetune`: trains a model on prepared records."""

from __future__ import annotations

import argparse

from scimind.cli.run import execute
from scimind.cli.run_options import add_run_options

OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add_run_options(parser, "training")


def run(args: argparse.Namespace) -> int:
    """Finetunes the model; returns the exit status."""
    return execute(args, "finetune")
