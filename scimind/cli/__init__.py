"""The `scimind` command: one verb per task, each in a module that is loaded only when the verb is used."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from scimind._version import __version__
from scimind.cli.exit_status import guarded
from scimind.errors import SciMindError, excerpt

# A verb's module has `add_arguments(parser)` and `run(args) -> int`. A module with `OVERRIDES = True` also accepts
# `--section.name=value`, which it finds in `args.overrides`.
VERBS = {
    "prepare": "turn raw records into conversations and MindRecord files",
    "convert": "convert a checkpoint from another format to SciMind's, or back",
    "experts": "divide neurons into experts, assign experts to modalities, tune routers, measure partitions",
    "finetune": "train a model on prepared records",
    "predict": "answer prompts with a model",
    "ask": "answer one question",
    "embed": "turn molecules and other sequences into vectors",
    "evaluate": "score a file of predictions",
    "report": "write an evaluation as a single HTML page",
    "check": "show a configuration with its parameters, FLOPs and memory, without loading a model",
}

# What continues the work of a verb after a signal. `predict` and `finetune` say it themselves.
_AFTER_STOP = {
    "prepare": "start the same command again to continue",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status, see `scimind.cli.exit_status`.

    Args:
        argv: Arguments without the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return guarded("scimind", lambda: _run(arguments), after_stop=_AFTER_STOP.get(next(iter(arguments), ""), ""))


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """Returns the parser of the command, with the arguments of `verb` only, so that no other module is loaded."""
    parser = argparse.ArgumentParser(
        prog="scimind",
        description="A Llama with modality-routed experts for text, molecules, proteins and nucleic acids.",
        epilog="`scimind COMMAND --help` shows the arguments of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"scimind {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for name, summary in VERBS.items():
        child = verbs.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
        )
        if name == verb:
            module = importlib.import_module(f"scimind.cli.{name}")
            module.add_arguments(child)
            child.set_defaults(module=module, parser=child)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns the parsed arguments of a command; argparse ends the process with status 2 if they are wrong."""
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    args, rest = build_parser(verb).parse_known_args(arguments)
    if getattr(args.module, "OVERRIDES", False):
        from scimind.cli.run_options import overrides_among

        args.overrides = overrides_among(rest, args.parser)
    elif rest:
        args.parser.error(f"unrecognized arguments: {' '.join(' '.join(rest).split())}")  # on one line
    _check_paths(args)
    return args


def _check_paths(args: argparse.Namespace) -> None:
    """Raises a SciMindError for a path that the system cannot look up, such as one in a folder that is closed to us."""
    for value in vars(args).values():
        for path in value if isinstance(value, list) else [value]:
            if not isinstance(path, Path):
                continue
            try:
                path.expanduser().stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: no home folder of that name
                reason = error.strerror if isinstance(error, OSError) else error
                raise SciMindError(f"{excerpt(str(path))} cannot be used ({reason}); give another path") from error


def _run(arguments: Sequence[str]) -> int:
    """Runs the verb named in the arguments."""
    args = parse(arguments)
    args.command = ["scimind", *arguments]
    return int(args.module.run(args))
