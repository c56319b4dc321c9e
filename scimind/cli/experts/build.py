"""`scimind experts build`: divides each layer's neurons into experts of equal size."""

from __future__ import annotations

import argparse

from scimind.cli.experts.options import add_model_and_data, add_output, data_settings, experts_run
from scimind.cli.numbers import up_to


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the sub-verb."""
    add_model_and_data(parser)
    add_output(parser)
    parser.add_argument(
        "--method",
        required=True,
        choices=("kmeans", "coactivation", "contiguous", "random"),
        help="how neurons are grouped: by similar weights, by common activation on --data, in order, or at random",
    )
    parser.add_argument(
        "--num-experts",
        "--num_experts",
        type=up_to(65_536),
        metavar="N",
        help="experts per layer (default: the configuration's)",
    )
    parser.add_argument(
        "--on", choices=("gate", "up", "both"), default="both", help="weights that kmeans compares (default: both)"
    )
    parser.add_argument(
        "--starts",
        type=up_to(10_000),
        default=1,
        metavar="N",
        help="random starts, of which the best result is kept (default: 1)",
    )


def run(args: argparse.Namespace) -> int:
    """Builds a partition, writes it with its report and prints the report; returns the exit status."""
    from scimind.checkpoint.partition import write_partition
    from scimind.errors import SciMindError
    from scimind.experts.build import BuildSettings, build_partition, in_short, make_report
    from scimind.experts.report import report_table, report_text

    for name in ("num_experts", "starts"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SciMindError(f"--{name.replace('_', '-')} ({getattr(args, name)}) must be above 0")
    with experts_run(args, args.output) as given:
        experts = args.num_experts or given.config.model_config["num_experts"]
        settings = BuildSettings(args.method, experts, args.on, given.config.seed, args.starts)
        layers = build_partition(given.weights, settings, given.reader, given.console)
        report = make_report(
            given.weights,
            layers,
            experts,
            on=args.on,
            reader=given.reader,
            score=given.config.model_config.get("score", "sum"),
            seed=given.config.seed,
        )
        described = settings.described(given.weights)
        described["settings"] |= data_settings(args)
        described["report"] = in_short(report)
        write_partition(args.output, layers, experts, described, {"report.json": report_text(report)})
        given.console.print("\n".join([*report_table(report), "", f"wrote {args.output}"]))
    return 0
