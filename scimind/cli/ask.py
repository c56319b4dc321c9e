"""`scimind ask`: answers one question on standard output; everything else goes to standard error."""

from __future__ import annotations

import argparse
import sys

from scimind.cli.run_options import add_answer_options, answer_settings
from scimind.errors import SciMindError

OVERRIDES = True
MODEL = "run's output folder, checkpoint, YAML file, or name of a shipped configuration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    parser.add_argument("--model", required=True, metavar="PATH", help=MODEL)
    parser.add_argument(
        "question",
        metavar="QUESTION",
        help="a question, with molecules and sequences between tags, such as <smiles>CCO</smiles>; with --task what it "
        "asks about, such as CCO; - for standard input",
    )
    add_answer_options(parser)


def run(args: argparse.Namespace) -> int:
    """Answers the question; returns the exit status.

    Raises:
        SciMindError: The question cannot be asked, there is no answer, or a setting is wrong.
    """
    from scimind.api.model import load
    from scimind.generate.prediction_file import text_line

    question = sys.stdin.read() if args.question == "-" else args.question
    if not question.strip():
        raise SciMindError("the question is empty; give one")
    model = load(args.model, answer_settings(args))
    number = model.config.generation["num_return_sequences"]
    answers = model.ask(question, n=number, task=args.task)
    print("\n".join(answers if number == 1 else map(text_line, answers)))
    return 0
