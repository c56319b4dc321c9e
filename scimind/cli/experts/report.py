"""`scimind experts report`: measures a partition, for instance on data that it was not built on."""

from __future__ import annotations

import argparse
from pathlib import Path

from scimind.cli.experts.options import add_model_and_data, experts_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the sub-verb."""
    add_model_and_data(parser)
    parser.add_argument("--partition", required=True, type=Path, metavar="DIR", help="partition to measure")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file for the report, which is also printed")
    parser.add_argument(
        "--on", choices=("gate", "up", "both"), default="both", help="weights to compare (default: both)"
    )


def run(args: argparse.Namespace) -> int:
    """Measures a partition and prints the report; returns the exit status."""
    from scimind.atomic import replace_text
    from scimind.checkpoint.partition import check_made_from, read_description, read_partition
    from scimind.errors import SciMindError
    from scimind.experts.build import make_report
    from scimind.experts.report import report_table, report_text

    with experts_run(args, None) as given:
        weights = given.weights
        experts = read_description(args.partition).get("num_experts") or given.config.model_config["num_experts"]
        layers = read_partition(args.partition, weights.num_layers, weights.neurons, experts)
        check_made_from(args.partition, weights.fingerprint())
        report = make_report(
            weights,
            list(layers),
            experts,
            on=args.on,
            reader=given.reader,
            score=given.config.model_config.get("score", "sum"),
            seed=given.config.seed,
        )
        given.console.print("\n".join(report_table(report)))
        if args.output:
            try:
                args.output.parent.mkdir(parents=True, exist_ok=True)
                replace_text(args.output, report_text(report))
            except OSError as error:
                reason = f"{args.output}: cannot be written ({error.strerror}); choose another file"
                raise SciMindError(reason) from error
    return 0
