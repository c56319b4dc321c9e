"""`scimind evaluate`: scores predictions, writes and ranks submissions to L+M-24. Does not load MindSpore."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scimind.cli.numbers import LARGEST_SEED, up_to
from scimind.config.shipped import data_file
from scimind.data.formats.opening import kept_pipes
from scimind.data.tasks.outputs import GROUPS
from scimind.data.tasks.registry import TASKS
from scimind.errors import SciMindError
from scimind.evaluate.metric_groups import group_of, task_of
from scimind.parallel import MOST_WORKERS

if TYPE_CHECKING:
    from scimind.evaluate.evaluation import EvaluateOptions, Evaluation

_PROTOCOLS = ("lpm24", "molt5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add_scoring_arguments(parser)
    add = parser.add_argument
    add("--output", type=Path, metavar="FILE", help="JSON file for the metrics, which are also printed")
    add("--items", type=Path, metavar="FILE", help=".jsonl or .tsv file for the scores of each item")
    add(
        "--raw_cells",
        "--raw-cells",
        action="store_true",
        help="leave texts in a .tsv of items that begin with =, +, - or @ as they are (default: an apostrophe before "
        "them keeps spreadsheets from computing them)",
    )
    add("--submission", type=Path, metavar="ZIP", help="write the outputs as a submission to L+M-24")
    add(
        "--inputs",
        type=Path,
        metavar="FILE",
        help="inputs that the submission answers, one per line, such as eval-text.txt",
    )
    add(
        "--rank",
        nargs="+",
        type=Path,
        metavar="METRICS",
        help="instead of scoring, rank several submissions by their gain over the first, as L+M-24 does; give the "
        "--output files of their evaluations",
    )


def add_scoring_arguments(parser: argparse._ActionsContainer) -> None:
    """Adds the arguments that say what is scored and how.

    Args:
        parser: A parser or an argument group.
    """
    add = parser.add_argument
    add(
        "--task",
        metavar="TASK",
        help=f"task of the predictions: one of {', '.join(TASKS)}; a .yaml or .py file that defines one (the code "
        f"of a .py file runs); or a group of metrics: {', '.join(GROUPS)} (default: the task that `scimind predict` "
        "answered)",
    )
    add(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="outputs to score: one per line, the .jsonl of `scimind predict`, or a table with a column output; for "
        "task pretrain a table with the columns modality, loss (nats) and optionally tokens, id",
    )
    add(
        "--references",
        type=lambda text: Path(data_file(text)),
        metavar="FILE",
        help="references: one per line, .jsonl or a table (default: those in the predictions file)",
    )
    add(
        "--columns",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="column of the output, reference, input or id that is not found by its name, such as output=answer,id=2",
    )
    add(
        "--protocol",
        choices=_PROTOCOLS,
        default="lpm24",
        help="similarity of invalid molecules: lpm24 counts them as 0, molt5 leaves them out (default: lpm24)",
    )
    add(
        "--wordpiece_vocab",
        "--wordpiece-vocab",
        type=Path,
        metavar="FILE",
        help="SciBERT's vocab.txt, to compute BLEU, METEOR and property scores as published (default: use words)",
    )
    add("--wordnet", type=Path, metavar="DIR", help="folder of WordNet 3.0, for METEOR (default: searched for)")
    add("--properties", type=Path, metavar="FILE", help="nested_props.json of L+M-24, for property scores")
    add("--withheld", type=Path, metavar="FILE", help="withheld_combos.txt of L+M-24, for withheld combinations")
    add("--training", type=Path, metavar="FILE", help="molecules of the training data, for novelty")
    add("--fcd", action="store_true", help="compute the Fréchet ChemNet distance; needs scimind[fcd]")
    add(
        "--extract",
        action="store_true",
        help="take the molecule or protein out of an output that holds other text too (default: such an output is "
        "scored as it is; a tag, quotes or backticks around the whole output are never scored)",
    )
    add(
        "--positive_label",
        "--positive-label",
        metavar="LABEL",
        help="which of two labels is positive (default: yes, true, 1 or positive)",
    )
    add(
        "--bootstrap",
        type=up_to(1_000_000),
        default=1000,
        metavar="N",
        help="bootstrap samples for confidence intervals; 0 turns these off (default: 1000)",
    )
    add(
        "--confidence",
        type=float,
        default=0.95,
        metavar="SHARE",
        help="confidence level of the intervals, between 0 and 1 (default: 0.95)",
    )
    add("--seed", type=up_to(LARGEST_SEED), default=0, metavar="INT", help="seed of the bootstrap samples (default: 0)")
    add("--workers", type=up_to(MOST_WORKERS), metavar="N", help="number of processes (default: one per core)")


def run(args: argparse.Namespace) -> int:
    """Scores the predictions, prints and writes the scores; returns the exit status.

    Raises:
        SciMindError: The files or the flags are wrong.
    """
    if args.rank:
        return _rank(args.rank)
    find_task_of(args)
    if args.inputs is not None and args.submission is None:
        raise SciMindError("--inputs only works with a submission; give --submission ZIP too")
    from scimind.evaluate.results import check_items_path
    from scimind.locking import is_special, output_lock

    if args.items is not None:
        check_items_path(args.items)
    outputs = {"--output": args.output, "--items": args.items, "--submission": args.submission}
    given = {name: path for name, path in outputs.items() if path is not None}
    with kept_pipes(), ExitStack() as stack:
        for name, path in given.items():
            others = [other for other in given.values() if other is not path]
            if any(path.resolve() == other.resolve() for other in others) and not is_special(path):
                raise SciMindError(f"{name} ({path}) is named twice as an output; give each output its own file")
            stack.enter_context(output_lock(path, [*scoring_inputs(args), args.inputs]))
        if args.submission is None or _submit(args):
            _score(args)
    return 0


def find_task_of(args: argparse.Namespace) -> None:
    """Sets the task of parsed arguments to that of the predictions, unless it is given.

    Raises:
        SciMindError: There are no predictions, or the record of their run names no task.
    """
    if args.predictions is None:
        raise SciMindError("no predictions; give --predictions FILE")
    args.task = args.task or task_of(args.predictions)
    if args.task is None:
        raise SciMindError("no task; give --task TASK")


def scoring_inputs(args: argparse.Namespace) -> list[str | Path | None]:
    """Returns the files that the arguments of `add_scoring_arguments` name, and None for those that are not given."""
    names = ("task", "predictions", "references", "wordpiece_vocab", "wordnet", "properties", "withheld", "training")
    return [getattr(args, name) for name in names]


def _score(args: argparse.Namespace) -> None:
    """Scores the predictions, prints and writes the scores."""
    import sys

    from scimind.evaluate.evaluation import evaluate
    from scimind.evaluate.results import make_folder, write_json, write_rows
    from scimind.runtime.console import Console

    options = evaluate_options(args)
    for path in (args.output, args.items):
        if path is not None:
            make_folder(path)
    evaluation = evaluate(options, Console(sys.stderr))
    print("\n".join(_lines(evaluation)))
    if args.items is not None:
        write_rows(args.items, evaluation.rows, raw_cells=args.raw_cells)
        evaluation.metrics["files"]["items"] = {"path": str(args.items)}
    if args.output is not None:
        write_json(args.output, evaluation.metrics)


def evaluate_options(args: argparse.Namespace) -> EvaluateOptions:
    """Returns the options that the arguments of `add_scoring_arguments` describe.

    Raises:
        SciMindError: A number is out of range.
    """
    from scimind.data.formats.columns import parse_columns
    from scimind.evaluate.evaluation import EvaluateOptions
    from scimind.evaluate.resampling import Resampling
    from scimind.parallel import available_cores, check_workers

    if args.bootstrap < 0:
        raise SciMindError(f"--bootstrap ({args.bootstrap}) must be 0 or more")
    if not 0 < args.confidence < 1:
        raise SciMindError(f"--confidence ({args.confidence}) must be between 0 and 1")
    return EvaluateOptions(
        task=args.task,
        predictions=args.predictions,
        references=args.references,
        protocol=args.protocol,
        wordpiece_vocab=args.wordpiece_vocab,
        wordnet=args.wordnet,
        properties=args.properties,
        withheld=args.withheld,
        training=args.training,
        with_fcd=args.fcd,
        extract=args.extract,
        positive_label=args.positive_label,
        resampling=Resampling(args.bootstrap, args.confidence, args.seed),
        workers=available_cores() if args.workers is None else check_workers(args.workers),
        columns=parse_columns(args.columns),
    )


def _lines(evaluation: Evaluation) -> list[str]:
    """Returns the lines to print: the scores, the counts that are not 0, and what was not computed."""
    metrics: dict[str, Any] = evaluation.metrics
    width = max((len(name) for name in metrics["metrics"]), default=0)
    lines = [
        f"{metrics['task']}: {metrics['items']} items" + (f", {metrics['protocol']}" if metrics["protocol"] else "")
    ]
    for name, score in metrics["metrics"].items():
        if score["value"] is None:
            lines.append(f"  {name:<{width}}  undefined")
            continue
        interval = "" if score["low"] is None else f"  [{_number(score['low'])}, {_number(score['high'])}]"
        theirs = metrics["protocol_values"].get(name)
        published = "" if theirs is None else f"  ({theirs:.4f} as computed by the published script)"
        lines.append(f"  {name:<{width}}  {_number(score['value'])}{interval}{published}")
    counts = [
        f"{count} {name.replace('_', ' ')}" for name, count in metrics["counts"].items() if count and name != "items"
    ]
    lines += [f"  {', '.join(counts)}"] if counts else []
    if any(name.endswith("_among_other_text") for name in metrics["counts"]):
        lines.append("  --extract takes molecules or proteins out of the text around them")
    for name in ("tokens", "unit", "scale", "errors", "baseline"):
        if name in metrics["settings"]:
            lines.append(f"  {name}: {metrics['settings'][name]}")
    by_reason: dict[str, list[str]] = {}
    for name, reason in metrics["not_computed"].items():
        by_reason.setdefault(reason, []).append(name)
    return lines + [f"  not computed: {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _number(value: float) -> str:
    """Returns a score with four decimals, or with four digits if these would not show it."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e6 or not value else f"{value:.4g}"


def _submit(args: argparse.Namespace) -> bool:
    """Writes the submission; returns whether there are references, so that the outputs can be scored as well."""
    from scimind.data.formats.columns import parse_columns
    from scimind.evaluate.lpm24.submission import write_submission
    from scimind.evaluate.predictions import read_items

    if group_of(args.task) not in ("captions", "molecules"):
        raise SciMindError(f"--submission works with captions or molecules, not with {args.task}; leave it out")
    chosen = parse_columns(args.columns)
    items = read_items(args.predictions, unescape=group_of(args.task) == "captions", chosen=chosen)
    counts = write_submission(args.submission, items, args.inputs)
    notes = [f"{counts[name]} {name}" for name in ("empty", "joined") if counts[name]]
    print(f"wrote {args.submission}: {counts['lines']} lines" + (f" ({', '.join(notes)})" if notes else ""))
    return args.references is not None or all(item.reference is not None for item in items)


def _rank(paths: list[Path]) -> int:
    from scimind.evaluate.lpm24.ranking import rank, read_metrics

    if len(paths) < 2:
        raise SciMindError("--rank needs the metrics of the baseline and of at least one submission; give both")
    contents = [read_metrics(path) for path in paths]
    gains = rank(contents[0], contents[1:])
    print(f"mean gain over {paths[0]}, as L+M-24 ranks")
    for place, (gain, path) in enumerate(sorted(zip(gains, paths[1:], strict=True), key=lambda pair: -pair[0]), 1):
        print(f"{place:>3}  {gain:>9.4f}  {path}")
    return 0
