"""Measures SciMind against what a user would use instead, in turns on the same machine, and prints the table.

    python scripts/bench/run.py [--only training decoding …] [--output DIR] [--smoke]

Nothing else may run on the machine meanwhile. README.md in this folder explains what is measured, and how.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import decoding
import feed_forward
import first_step
import memory
import scaling
import tokenizer
import training
from pairs import REPEATS, Measuring, Mismatch, Pair, measure
from report import Cost, Row, markdown, pair_rows, write

Subject = Callable[..., Iterator[Row | Cost]]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status, which is 1 if two sides do not compute the same."""
    args = build_parser().parse_args(arguments)
    args.output.mkdir(parents=True, exist_ok=True)
    log = (args.output / "workers.log").resolve()
    log.write_text("")
    os.environ.setdefault("LOG_MF_PATH", str(log.parent / "mindformers"))
    os.environ["MS_COMPILER_CACHE_ENABLE"] = "0"  # each process compiles for itself, unless the cache is measured
    how = Measuring(log, partial(print, file=sys.stderr, flush=True), args.repeats, in_a_row=args.in_a_row)
    if args.smoke:
        how = replace(how, repeats=2, warm_up=1)
    rows: list[Row | Cost] = []
    for name in args.only:
        try:
            for row in SUBJECTS[name](how, smoke=args.smoke):
                rows.append(row)
                write(args.output, rows)  # earlier measurements are kept if the next one fails
        except Mismatch as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    print(markdown(rows), end="")
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Returns the command's parser."""
    parser = argparse.ArgumentParser(description="Measures SciMind against what a user would use instead.")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SUBJECTS,
        default=list(COMPARISONS),
        metavar="SUBJECT",
        help=f"subjects to measure: {', '.join(SUBJECTS)} (default: {', '.join(COMPARISONS)})",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/bench"),
        metavar="DIR",
        help="folder for bench.md, bench.json and workers.log (default: output/bench)",
    )
    parser.add_argument("--repeats", type=int, default=REPEATS, metavar="N", help=f"timed runs (default: {REPEATS})")
    parser.add_argument(
        "--in-a-row",
        action="store_true",
        help="also time each side without turns, to see whether turns disturb; written to bench.json",
    )
    parser.add_argument("--smoke", action="store_true", help="tiny sizes and few runs, to see whether everything works")
    return parser


def compare(pairs: Callable[..., Iterator[Pair]], how: Measuring, *, smoke: bool) -> Iterator[Row]:
    """Yields the lines of a subject's pairs, without those that need PyTorch if it is not installed."""
    for pair in pairs(smoke=smoke):
        sides = (pair.ours, pair.theirs, *(pair.checked or ()))
        if any(side.needs and importlib.util.find_spec(side.needs) is None for side in sides):
            how.say(f"{pair.work}: left out, since PyTorch is not installed; run pip install --editable .[bench]")
            continue
        yield from pair_rows(measure(pair, how))


COMPARISONS: dict[str, Subject] = {
    "feed-forward": partial(compare, feed_forward.pairs),
    "training": partial(compare, training.pairs),
    "training-memory": partial(compare, training.mindformers_pairs),
    "memory": memory.rows,
    "first-step": first_step.rows,
    "decoding": partial(compare, decoding.pairs),
    "decoding-cache": partial(compare, decoding.cache_pairs),
    "tokenizer": partial(compare, tokenizer.pairs),
}
COSTS: dict[str, Subject] = {
    "training-costs": scaling.training_costs,
    "decoding-costs": scaling.decoding_costs,
    "record-costs": scaling.record_costs,
}
SUBJECTS = COMPARISONS | COSTS

if __name__ == "__main__":
    sys.exit(main())
