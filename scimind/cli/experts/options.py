"""What the sub-verbs of `scimind experts` share: a model, domain data, a quiet console."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scimind.cli.numbers import up_to
from scimind.cli.run_options import add_run_options, overrides_of
from scimind.config import RunConfig, load_config
from scimind.errors import SciMindError
from scimind.locking import output_lock

if TYPE_CHECKING:
    from scimind.experts.activations import ActivationReader
    from scimind.experts.neurons import NeuronWeights
    from scimind.runtime.console import Console


@dataclass(frozen=True)
class ExpertsRun:
    """A configuration, the neurons of its checkpoint and, if data were given, their activations."""

    config: RunConfig
    weights: NeuronWeights
    reader: ActivationReader | None
    console: Console


def add_model_and_data(parser: argparse.ArgumentParser, *, needs_data: bool = False) -> None:
    """Adds the run's common options, --data, --max-tokens and --routed."""
    add_run_options(parser)
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        default=[],
        required=needs_data,
        metavar="FILE",
        help="domain data: MindRecord files written by `scimind prepare`",
    )
    parser.add_argument(
        "--max-tokens",
        "--max_tokens",
        type=up_to(1_000_000_000),
        default=65536,
        metavar="N",
        help="number of tokens of the data to run the model on (default: 65536)",
    )
    parser.add_argument("--routed", action="store_true", help="run the model with its router (default: all experts)")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds --output, the folder of a new partition."""
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder for the new partition")


@contextmanager
def experts_run(args: argparse.Namespace, output: Path | None) -> Iterator[ExpertsRun]:
    """Reads the files that the options name, and checks whatever can be checked before the model is run.

    Raises:
        SciMindError: The options, the configuration or the files are wrong.
    """
    from scimind.checkpoint.finding import find_checkpoint
    from scimind.checkpoint.partition import DESCRIPTION, check_target

    config = load_config(args.config, overrides_of(args))
    if not config.get("load_checkpoint"):
        raise SciMindError("no weights; give --load_checkpoint PATH, a checkpoint or a run's output folder")
    if args.max_tokens < 1:
        raise SciMindError(f"--max-tokens ({args.max_tokens}) must be above 0")
    with ExitStack() as stack:
        if args.output is not None:
            read = [
                config["load_checkpoint"],
                find_checkpoint(config["load_checkpoint"]).weights,
                args.config,
                *args.data,
            ]
            if partition := getattr(args, "partition", None):
                read += [partition, partition / DESCRIPTION, *partition.glob("patterns_*.npy")]
            stack.enter_context(output_lock(args.output, read, advice="choose another --output"))
        if output is not None:
            check_target(output)
        yield _read(args, config, stack)


def _read(args: argparse.Namespace, config: RunConfig, stack: ExitStack) -> ExpertsRun:
    """Returns what the options name, with a console that the stack closes."""
    from scimind.checkpoint.finding import find_checkpoint
    from scimind.experts.neurons import NeuronWeights
    from scimind.runtime.console import quiet_console
    from scimind.runtime.run_folder import RunFolder

    weights = NeuronWeights(find_checkpoint(config["load_checkpoint"]))
    layers, neurons = config.model_config.get("num_layers"), config.model_config.get("intermediate_size")
    if (layers, neurons or weights.neurons) != (weights.num_layers, weights.neurons):
        raise SciMindError(
            f"{weights.path}: has {weights.num_layers} layers of {weights.neurons} neurons, but {args.config} has "
            f"{layers} of {neurons}; give a configuration whose model_config matches the weights"
        )
    console = stack.enter_context(quiet_console(RunFolder.create(config.output_dir, "experts").log_file))
    reader = None
    if args.data:
        from scimind.experts.activations import ActivationReader

        reader = ActivationReader(
            config, args.data, max_tokens=args.max_tokens, routed=args.routed, seed=config.seed, console=console
        )
    return ExpertsRun(config, weights, reader, console)


def data_settings(args: argparse.Namespace) -> dict[str, object]:
    """Returns what `partition.json` records about the data."""
    if not args.data:
        return {}
    return {"data": [path.name for path in args.data], "max_tokens": args.max_tokens, "routed": args.routed}
