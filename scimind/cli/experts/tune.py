"""`scimind experts tune`: gates for router `learned`, tuned on domain data with the model frozen."""

from __future__ import annotations

import argparse

from scimind.cli.run_options import add_run_options, overrides_of
from scimind.config import load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-verb's flags."""
    add_run_options(parser)
    parser.add_argument("--data", required=True, nargs="+", metavar="FILE", help="MindRecord files to tune on")
    parser.add_argument(
        "--eval-data",
        "--eval_data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="held-out MindRecord files (default: a tenth of --data)",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the checkpoint and the report")
    parser.add_argument("--steps", type=int, default=300, metavar="N", help="steps of the optimizer (default: 300)")
    parser.add_argument(
        "--batch-size", "--batch_size", type=int, default=16, metavar="B", help="records of a step (default: 16)"
    )
    parser.add_argument(
        "--learning-rate",
        "--learning_rate",
        type=float,
        metavar="R",
        help="highest learning rate (default: 4 / hidden_size)",
    )
    parser.add_argument(
        "--load-balance",
        "--load_balance",
        type=float,
        default=0.0,
        metavar="W",
        help="weight of each modality's load balance (default: 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Tunes; returns the exit status.

    Raises:
        SciMindError: A mistake in the configuration, the data or the flags.
    """
    from scimind.experts.tuning.tune import TuneSettings, tune

    settings = TuneSettings(args.steps, args.batch_size, args.learning_rate, args.load_balance)
    config = load_config(args.config, overrides_of(args))
    tune(config, args.data, args.output, settings, eval_data=args.eval_data)
    return 0
