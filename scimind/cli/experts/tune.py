"""`scimind experts tune`: tunes the gates of router `learned` on domain data, with the rest of the model frozen."""

from __future__ import annotations

import argparse

from scimind.cli.numbers import up_to
from scimind.cli.run_options import add_run_options, overrides_of
from scimind.config import load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the sub-verb."""
    add_run_options(parser)
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        metavar="FILE",
        help="MindRecord files to tune on, written by `scimind prepare`",
    )
    parser.add_argument(
        "--eval-data",
        "--eval_data",
        nargs="+",
        default=[],
        metavar="FILE",
        help="held-out MindRecord files to measure agreement on (default: a tenth of --data)",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the checkpoint and the report")
    parser.add_argument(
        "--steps", type=up_to(10_000_000), default=300, metavar="N", help="optimizer steps (default: 300)"
    )
    parser.add_argument(
        "--batch-size",
        "--batch_size",
        type=up_to(65_536),
        default=16,
        metavar="N",
        help="records per step (default: 16)",
    )
    parser.add_argument(
        "--learning-rate",
        "--learning_rate",
        type=float,
        metavar="RATE",
        help="peak learning rate (default: 4 / hidden_size)",
    )
    parser.add_argument(
        "--load-balance",
        "--load_balance",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="weight of the load-balance term of each modality in the loss (default: 0)",
    )


def run(args: argparse.Namespace) -> int:
    """Tunes the gates; returns the exit status.

    Raises:
        SciMindError: The configuration, the data or the flags are wrong.
    """
    from scimind.experts.tuning.tune import TuneSettings, tune

    settings = TuneSettings(args.steps, args.batch_size, args.learning_rate, args.load_balance)
    config = load_config(args.config, overrides_of(args))
    tune(config, args.data, args.output, settings, eval_data=args.eval_data)
    return 0
