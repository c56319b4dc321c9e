"""`scimind report`: writes an evaluation as one HTML page that needs no network. Does not load MindSpore."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scimind.cli.evaluate import add_scoring_arguments, evaluate_options, find_task_of, scoring_inputs
from scimind.cli.numbers import up_to
from scimind.data.tasks.registry import ALLOW_CODE
from scimind.errors import SciMindError

if TYPE_CHECKING:
    from scimind.evaluate.evaluation import Evaluation
    from scimind.runtime.console import Console

_DRAWINGS = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    add = parser.add_argument
    add("--output", required=True, type=Path, metavar="FILE", help="the HTML page to write, .html")
    add(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="--output file of `scimind evaluate` (default: score the predictions here)",
    )
    add(
        "--items",
        type=Path,
        metavar="FILE",
        help="--items file of `scimind evaluate`, .jsonl (default: the one named in --metrics)",
    )
    add(
        "--experts",
        type=Path,
        metavar="FILE",
        help="--output file of `scimind experts report`, to show how experts are used",
    )
    add("--losses", type=Path, metavar="PATH", help="loss.csv of a training run, or its folder, to plot the loss")
    add("--allow_code", "--allow-code", action="store_true", help=ALLOW_CODE)
    add("--title", metavar="TEXT", help="heading of the page (default: task and predictions file)")
    add(
        "--drawings",
        type=up_to(100_000),
        default=_DRAWINGS,
        metavar="N",
        help=f"number of items whose molecules are drawn, about 10 KB each (default: {_DRAWINGS})",
    )
    add_scoring_arguments(parser.add_argument_group("scoring, without --metrics"))


def run(args: argparse.Namespace) -> int:
    """Writes a report; returns the exit status.

    Raises:
        SciMindError: The files or the flags are wrong.
    """
    if args.predictions is None:
        raise SciMindError("no predictions; give --predictions FILE")
    if args.metrics is None:
        find_task_of(args)
    if args.items is not None and args.metrics is None:
        raise SciMindError("--items needs --metrics FILE of the same evaluation; give both")
    if args.drawings < 0:
        raise SciMindError(f"--drawings ({args.drawings}) must be 0 or more")
    check_page(args.output)
    from scimind.evaluate.results import make_folder, write_text
    from scimind.locking import output_lock

    read = (*scoring_inputs(args), args.metrics, args.items, args.experts, args.losses)
    with output_lock(args.output, read, advice="choose another --output"):
        make_folder(args.output)
        page, items = _page(args)
        write_text(args.output, page)
    print(f"wrote {args.output}: {items} items, {_size(args.output.stat().st_size)}")
    return 0


def check_page(path: Path) -> None:
    """Raises a SciMindError if the file of a report has another suffix than .html."""
    if path.suffix not in (".html", ".htm"):
        raise SciMindError(f"{path}: a report must end in .html; rename it")


def _page(args: argparse.Namespace) -> tuple[str, int]:
    """Returns the page, and the number of its items."""
    import sys

    from scimind.evaluate.evaluation import evaluate
    from scimind.evaluate.report.page import PageOptions, render_page, task_name
    from scimind.evaluate.report.sources import read_answer_scores, read_experts, read_training_losses
    from scimind.runtime.console import Console

    experts = read_experts(args.experts) if args.experts is not None else None
    losses = read_training_losses(args.losses) if args.losses is not None else None
    answers = read_answer_scores(args.losses) if args.losses is not None else None
    options, console = evaluate_options(args), Console(sys.stderr)
    evaluation = evaluate(options, console) if args.metrics is None else _evaluation_of(args, console)
    title = args.title or f"{task_name(evaluation.metrics['task'])}: {args.predictions.name}"
    page = render_page(evaluation, PageOptions(title, args.drawings, experts, losses, options.workers, answers))
    return page, evaluation.metrics["items"]


def _size(count: int) -> str:
    """Returns a number of bytes in KB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} KB"


def _evaluation_of(args: argparse.Namespace, console: Console) -> Evaluation:
    """Returns an existing evaluation; its items are read from their file or, without one, scored again."""
    from dataclasses import replace

    from scimind.data.tasks.registry import refuse_code
    from scimind.evaluate.evaluation import Evaluation, evaluate
    from scimind.evaluate.report.sources import check_file, read_metrics, read_rows
    from scimind.evaluate.resampling import Resampling
    from scimind.locking import refuse_inputs

    metrics: dict[str, Any] = read_metrics(args.metrics)
    files = metrics["files"]
    refuse_inputs(args.output, [file["path"] for file in files.values()], advice="choose another --output")
    if args.task not in (None, metrics["task"]):
        raise SciMindError(f"--task ({args.task}) must be that of the metrics ({metrics['task']}); leave it out")
    check_file(metrics, args.metrics, "predictions", args.predictions)
    refuse_code(metrics["task"], args.metrics, allow_code=args.allow_code, named=args.task)
    written = Path(files["items"]["path"]) if "items" in files else None
    items = args.items or (written if written and written.suffix == ".jsonl" and written.is_file() else None)
    if items is not None:
        return Evaluation(metrics, read_rows(items, metrics))
    paths: dict[str, Any] = {
        name: getattr(args, name) or (Path(files[name]["path"]) if name in files else None)
        for name in ("references", "wordpiece_vocab", "properties", "withheld", "training")
    }
    for name, path in paths.items():
        if path is not None:
            check_file(metrics, args.metrics, name, path)
    again = replace(
        evaluate_options(args),
        task=metrics["task"],
        protocol=metrics["protocol"] or "lpm24",
        with_fcd=False,
        extract="extract" in metrics["settings"],
        resampling=Resampling(samples=0),
        **paths,
    )
    return Evaluation(metrics, evaluate(again, console).rows)
