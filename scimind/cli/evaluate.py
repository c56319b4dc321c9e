"""`scimind evaluate`: scores of a file of predictions."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from scimind.errors import SciMindError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's arguments."""
    parser.add_argument("--task", required=True, choices=["text2smiles"], help="what the model was asked for")
    parser.add_argument("--predictions", required=True, metavar="FILE", help=".jsonl of predict, or one output a line")
    parser.add_argument("--references", metavar="FILE", help="one a line; by default those in the .jsonl")
    parser.add_argument("--output", metavar="FILE", help="where the scores go as JSON; they are printed in any case")


def run(args: argparse.Namespace) -> int:
    """Scores the predictions, prints the scores and writes them."""
    from scimind.evaluate.molecules import score_molecules
    from scimind.evaluate.predictions import read_pairs

    scores = score_molecules(read_pairs(args.predictions, args.references)).to_dict()
    for name, value in scores.items():
        shown = (
            "not computed: no references" if value is None else f"{value:.4f}" if isinstance(value, float) else value
        )
        print(f"{name:<8} {shown}")
    if args.output:
        try:
            Path(args.output).parent.mkdir(parents=True, exist_ok=True)
            Path(args.output).write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise SciMindError(f"{args.output}: cannot be written ({error.strerror}); choose another path") from error
    return 0
