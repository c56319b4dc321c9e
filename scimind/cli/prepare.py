"""`scimind prepare`: data files to conversation JSON and MindRecord."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scimind.tokenizer import TokenCodec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's flags."""
    parser.add_argument(
        "--task",
        required=True,
        choices=("smiles2text", "text2smiles", "conversation"),
        help="smiles2text and text2smiles read tables (L+M-24, ChEBI-20), conversation reads conversation JSON",
    )
    parser.add_argument("--input", required=True, nargs="+", type=Path, metavar="FILE", help="one or several files")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--seq-length",
        "--seq_length",
        type=int,
        default=2048,
        metavar="N",
        help="the model's seq_length (default: 2048)",
    )
    parser.add_argument(
        "--policy",
        choices=("drop", "truncate"),
        default="drop",
        help="a record that is too long is dropped, or its question's text is cut (default: drop)",
    )
    parser.add_argument("--loss-on-prompt", "--loss_on_prompt", action="store_true", help="learn the prompts too")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="PATH",
        help="tokenizer folder or SentencePiece model (default: the built-in one)",
    )
    parser.add_argument(
        "--no-extension",
        "--no_extension",
        action="store_true",
        help="only the published tokenizer's 98 tokens, for its checkpoints",
    )
    parser.add_argument("--name", help="first part of the results' names (default: the input's)")
    parser.add_argument(
        "--on-bad",
        "--on_bad",
        choices=("stop", "skip"),
        default="stop",
        help="at a faulty record: stop, or skip and list it (default: stop)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument(
        "--eval-fraction",
        "--eval_fraction",
        type=float,
        default=0.0,
        metavar="F",
        help="share of the records to set aside as NAME_eval (default: 0)",
    )
    parser.add_argument(
        "--pack",
        action="store_true",
        help="put several short records into a row; train with model.model_config.packed True",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that encode (default: the cores); the files do not depend on it",
    )


def run(args: argparse.Namespace) -> int:
    """Prepares the files and prints what was done; returns the exit status.

    Raises:
        SciMindError: A mistake in the files or the flags.
    """
    from scimind.data import prepare
    from scimind.parallel import available_cores

    summary = prepare(
        args.task,
        args.input,
        args.output,
        codec=_load_codec(args.tokenizer, extension=not args.no_extension),
        seq_length=args.seq_length,
        policy=args.policy,
        loss_on_prompt=args.loss_on_prompt,
        name=args.name,
        on_bad=args.on_bad,
        overwrite=args.overwrite,
        eval_fraction=args.eval_fraction,
        packed=args.pack,
        workers=available_cores() if args.workers is None else args.workers,
    )
    print(summary.table())
    print("\n".join(f"wrote {args.output / file}" for file in summary.files if not file.endswith(".db")))
    return 0


def _load_codec(path: Path | None, *, extension: bool) -> TokenCodec:
    """Returns the tokenizer of a folder or a model file, or the built-in one."""
    from scimind.errors import SciMindError
    from scimind.tokenizer import TokenCodec

    if path is None or not path.is_dir():
        return TokenCodec(path, extension=extension)
    codec = TokenCodec.load(path)
    if codec.extension and not extension:
        raise SciMindError(f"{path} has the extension; leave --no-extension out, or give its tokenizer.model")
    return codec
