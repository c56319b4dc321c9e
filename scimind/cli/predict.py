"""`scimind predict`: answers prompts with a model and, if asked, scores the answers in a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scimind.cli import report
from scimind.cli.exit_status import PARTLY_DONE
from scimind.cli.run import execute
from scimind.cli.run_options import add_run_options
from scimind.errors import SciMindError

OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add_run_options(parser, "prediction")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="score the answers with the references of the input and write the report, .html; see `scimind report`",
    )


def run(args: argparse.Namespace) -> int:
    """Answers the prompts, and writes the report; returns the exit status.

    Raises:
        SciMindError: The files or the settings are wrong.
    """
    options = _report_options(args) if args.report is not None else None
    status = execute(args, "predict")
    if options is None or status not in (0, PARTLY_DONE):
        return status
    try:
        return report.run(options) or status
    except SciMindError as error:
        print(f"the answers are in {args.save_file}, but there is no report: {error}", file=sys.stderr)
        return PARTLY_DONE


def _report_options(args: argparse.Namespace) -> argparse.Namespace:
    """Returns the options of `scimind report` for the answers of a run.

    Raises:
        SciMindError: The file of answers is not named, or the report is not an HTML file.
    """
    if args.predict_data is None or args.save_file is None or Path(args.save_file).suffix != ".jsonl":
        raise SciMindError("--report needs --input FILE and --output FILE.jsonl; give both")
    report.check_page(args.report)
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    chosen = ["--predictions", args.save_file, "--output", str(args.report)]
    chosen += ["--task", args.task] if args.task else []
    folder = Path(args.load_checkpoint) if args.load_checkpoint else None
    chosen += ["--losses", str(folder)] if folder is not None and (folder / "loss.csv").is_file() else []
    return parser.parse_args(chosen)
