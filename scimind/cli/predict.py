"""`scimind predict`: answers prompts with a model."""

from __future__ import annotations

import argparse

from scimind.cli.run import execute
from scimind.cli.run_options import add_run_options

OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add_run_options(parser, "prediction")


def run(args: argparse.Namespace) -> int:
    """Answers the prompts; returns the exit status."""
    return execute(args, "predict")
