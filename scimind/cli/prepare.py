"""`scimind prepare`: data files to conversation JSON and MindRecord."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scimind.data.content.fields import MOLECULES
from scimind.data.encode.length import POLICIES
from scimind.data.prepare.options import DUPLICATES, ON_BAD
from scimind.data.prepare.splitting import SPLITS
from scimind.data.tasks.registry import TASKS

if TYPE_CHECKING:
    from scimind.tokenizer import TokenCodec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's flags."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--task", metavar="TASK", help=f"one of {', '.join(TASKS)}; or a file that describes one, .yaml or .py"
    )
    what.add_argument("--mixture", type=Path, metavar="YAML", help="several tasks with their files and weights")
    add = parser.add_argument
    add(
        "--input",
        nargs="+",
        default=[],
        metavar="FILE",
        help="one or several files; LABEL=FILE labels all records of a file, such as yes=promoters.fa",
    )
    add("--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    add("--name", help="first part of the results' names (default: the input's)")
    add("--overwrite", action="store_true", help="replace results that exist")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes that encode (default: the cores); the files do not depend on it",
    )
    _add_model_flags(parser.add_argument_group("the model"))
    _add_split_flags(parser.add_argument_group("splits"))
    _add_record_flags(parser.add_argument_group("records"))


def _add_model_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    length = "the model's seq_length (default: 2048)"
    add("--seq-length", "--seq_length", type=int, default=2048, metavar="N", help=length)
    add(
        "--tokenizer", type=Path, metavar="PATH", help="tokenizer folder or SentencePiece model (default: the built-in)"
    )
    add(
        "--no-extension",
        "--no_extension",
        action="store_true",
        help="only the published tokenizer's 98 tokens, for its checkpoints",
    )
    add("--loss-on-prompt", "--loss_on_prompt", action="store_true", help="learn the prompts too")
    add(
        "--pack",
        action="store_true",
        help="put several short records into a row; train with model.model_config.packed True",
    )


def _add_split_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    for name in ("eval", "test"):
        text = f"share of the records to set aside as NAME_{name} (default: 0)"
        add(f"--{name}-fraction", f"--{name}_fraction", type=float, default=0.0, metavar="F", help=text)
    add(
        "--split",
        choices=SPLITS,
        default="random",
        help="what stays together: a molecule or sequence, a scaffold, a cluster of sequences (default: random)",
    )
    add("--identity", type=float, default=0.8, metavar="F", help="least identity in a cluster (default: 0.8)")
    add("--seed", type=int, default=0, help="decides splits, random SMILES, negatives, mixtures (default: 0)")


def _add_record_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--policy",
        choices=POLICIES,
        default="drop",
        help="a record that is too long is dropped, or its question's text is cut (default: drop)",
    )
    bad = group.add_mutually_exclusive_group()
    bad.add_argument(
        "--on-bad",
        "--on_bad",
        choices=ON_BAD,
        default="skip",
        help="at a faulty record: stop, or skip and list it (default: skip)",
    )
    bad.add_argument("--strict", dest="on_bad", action="store_const", const="stop", help="the same as --on-bad stop")
    duplicates = "records of equal question and answer (default: drop all but the first)"
    add("--duplicates", choices=DUPLICATES, default="drop", help=duplicates)
    add(
        "--molecules",
        choices=MOLECULES,
        default="checked",
        help="SMILES are checked by RDKit, made canonical, or taken as they are (default: checked)",
    )
    add(
        "--randomised",
        type=int,
        default=0,
        metavar="N",
        help="learn from N further spellings of each molecule (default: 0)",
    )
    add("--detect", action="store_true", help="look for sequences without marks in text, and list them")
    add("--no-card", "--no_card", action="store_true", help="write no data card and no histogram")


def run(args: argparse.Namespace) -> int:
    """Prepares the files and prints what was done; returns the exit status.

    Raises:
        SciMindError: A mistake in the files or the flags.
    """
    from scimind.data.content.fields import FieldOptions
    from scimind.data.prepare.mixture import prepare_mixture
    from scimind.data.prepare.options import PrepareOptions
    from scimind.data.prepare.splitting import Split
    from scimind.data.prepare.task_files import prepare_task
    from scimind.errors import SciMindError
    from scimind.parallel import available_cores

    if bool(args.input) == bool(args.mixture):
        raise SciMindError("a mixture names its files; leave --input out" if args.mixture else "give --input FILE")
    options = PrepareOptions(
        seq_length=args.seq_length,
        policy=args.policy,
        loss_on_prompt=args.loss_on_prompt,
        on_bad=args.on_bad,
        overwrite=args.overwrite,
        packed=args.pack,
        workers=available_cores() if args.workers is None else args.workers,
        split=Split(args.split, args.eval_fraction, args.test_fraction, args.seed),
        settings=FieldOptions(args.molecules, args.randomised, args.detect, args.seed, args.split),
        duplicates=args.duplicates,
        identity=args.identity,
        card=not args.no_card,
    )
    codec = _load_codec(args.tokenizer, extension=not args.no_extension)
    if args.mixture:
        summary = prepare_mixture(args.mixture, args.output, codec=codec, options=options, name=args.name)
    else:
        summary = prepare_task(args.task, args.input, args.output, codec=codec, options=options, name=args.name)
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
