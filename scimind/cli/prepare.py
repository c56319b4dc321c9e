"""`scimind prepare`: data files to conversation JSON and MindRecord."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from scimind.config.shipped import data_file
from scimind.data.content.fields import MOLECULES
from scimind.data.encode.length import POLICIES
from scimind.data.prepare.options import DUPLICATES, ON_BAD, PrepareOptions
from scimind.data.prepare.splitting import SPLITS
from scimind.data.tasks.registry import TASKS

if TYPE_CHECKING:
    from scimind.tokenizer import TokenCodec

_DEFAULTS = PrepareOptions()


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
        type=data_file,
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
    length = "the model's seq_length (default: %(default)s)"
    add("--seq-length", "--seq_length", type=int, default=_DEFAULTS.seq_length, metavar="N", help=length)
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
        dest="packed",
        action="store_true",
        help="put several short records into a row; train with model.model_config.packed True",
    )


def _add_split_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    for name in ("eval", "test"):
        default = getattr(_DEFAULTS, f"{name}_fraction")
        text = f"share of the records to set aside as NAME_{name} (default: {default:g})"
        add(f"--{name}-fraction", f"--{name}_fraction", type=float, default=default, metavar="F", help=text)
    add(
        "--split",
        choices=SPLITS,
        default=_DEFAULTS.split,
        help="what stays together: a molecule or sequence, a scaffold, a cluster of sequences (default: %(default)s)",
    )
    identity = "least identity in a cluster (default: %(default)s)"
    add("--identity", type=float, default=_DEFAULTS.identity, metavar="F", help=identity)
    seed = "decides splits, random SMILES, negatives, mixtures (default: %(default)s)"
    add("--seed", type=int, default=_DEFAULTS.seed, help=seed)


def _add_record_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--policy",
        choices=POLICIES,
        default=_DEFAULTS.policy,
        help="a record that is too long is dropped, or its question's text is cut (default: %(default)s)",
    )
    bad = group.add_mutually_exclusive_group()
    bad.add_argument(
        "--on-bad",
        "--on_bad",
        choices=ON_BAD,
        default=_DEFAULTS.on_bad,
        help="at a faulty record: stop, or skip and list it (default: %(default)s)",
    )
    bad.add_argument("--strict", dest="on_bad", action="store_const", const="stop", help="the same as --on-bad stop")
    duplicates = "records of equal question and answer (default: drop all but the first)"
    add("--duplicates", choices=DUPLICATES, default=_DEFAULTS.duplicates, help=duplicates)
    add(
        "--molecules",
        choices=MOLECULES,
        default=_DEFAULTS.molecules,
        help="SMILES are checked by RDKit, made canonical, or taken as they are (default: %(default)s)",
    )
    add(
        "--randomised",
        type=int,
        default=_DEFAULTS.randomised,
        metavar="N",
        help="learn from N further spellings of each molecule (default: %(default)s)",
    )
    add("--detect", action="store_true", help="look for sequences without marks in text, and list them")
    add("--no-card", "--no_card", dest="card", action="store_false", help="write no data card and no histogram")


def run(args: argparse.Namespace) -> int:
    """Prepares the files and prints what was done; returns the exit status.

    Raises:
        SciMindError: A mistake in the files or the flags.
    """
    from scimind.data.prepare.mixture import prepare_mixture
    from scimind.data.prepare.task_files import prepare
    from scimind.errors import SciMindError

    if bool(args.input) == bool(args.mixture):
        raise SciMindError("a mixture names its files; leave --input out" if args.mixture else "give --input FILE")
    # Each flag has the name of its setting.
    names = [field.name for field in fields(PrepareOptions)]
    options = PrepareOptions(**{name: value for name, value in vars(args).items() if name in names})
    codec = _load_codec(args.tokenizer, extension=not args.no_extension)
    if args.mixture:
        summary = prepare_mixture(args.mixture, args.output, codec=codec, options=options, name=args.name)
    else:
        summary = prepare(args.task, args.input, args.output, codec=codec, options=options, name=args.name)
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
