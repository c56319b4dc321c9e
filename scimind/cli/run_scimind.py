"""The command of the original SciMind, `python run_scimind.py --config CONFIG --run_mode MODE …`.

`python -m scimind.cli.run_scimind` does the same wherever the package is installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

# The rest is imported by the functions: it takes a second, in which Ctrl-C would print a traceback.
from scimind.cli.exit_status import guarded
from scimind.runtime.lifeline import end_with_launcher


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command."""
    from scimind.cli.run_options import add_run_options
    from scimind.config.sections.root import RUN_MODES

    parser = argparse.ArgumentParser(
        prog="run_scimind.py", description="Finetune or evaluate SciMind, or predict with it.", allow_abbrev=False
    )
    parser.add_argument("--run_mode", choices=RUN_MODES, help="what to do (default: the configuration's run_mode)")
    add_run_options(parser, "training", "prediction")
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns the parsed arguments; argparse ends the process with status 2 if they are wrong."""
    from scimind.cli.run_options import overrides_among

    parser = build_parser()
    args, rest = parser.parse_known_args(arguments)
    args.overrides = overrides_among(rest, parser)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
        argv: Arguments without the program's name; None takes those of the process.
    """
    end_with_launcher()
    arguments = list(sys.argv[1:] if argv is None else argv)

    def body() -> int:
        from scimind.cli.run import execute

        args = parse(arguments)
        args.command = [*_program(), *arguments]
        return execute(args, args.run_mode)

    return guarded("run_scimind.py", body)


def _program() -> list[str]:
    """Returns how this program is started: as the script, or as the module if it was not."""
    script = Path(sys.argv[0])
    if script.name == "run_scimind.py" and script.resolve() != Path(__file__).resolve():
        return ["python", sys.argv[0]]
    return ["python", "-m", "scimind.cli.run_scimind"]


if __name__ == "__main__":
    sys.exit(main())
