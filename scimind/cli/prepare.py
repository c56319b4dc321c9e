"""`scimind prepare`: turns data files into conversation JSON and MindRecord."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from scimind.cli.numbers import LARGEST_SEED, up_to
from scimind.config.sections.generation import AMBIGUOUS
from scimind.config.shipped import data_file
from scimind.data.content.fields import MOLECULES
from scimind.data.content.numbers import MOST_DIGITS, TRANSFORMS
from scimind.data.encode.length import POLICIES
from scimind.data.prepare.options import DUPLICATES, MOST_SPELLINGS, ON_BAD, PrepareOptions
from scimind.data.prepare.splitting import SPLITS
from scimind.data.tasks.registry import ALLOW_CODE, TASKS
from scimind.data.tasks.tables import KINDS, TableQuestion
from scimind.data.tasks.task import CONFLICTS
from scimind.parallel import MOST_WORKERS

if TYPE_CHECKING:
    from scimind.tokenizer import TokenCodec

_DEFAULTS = PrepareOptions()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the verb."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--task",
        metavar="TASK",
        help=f"task of the records: one of {', '.join(TASKS)}; or a .yaml or .py file that defines one; the code of a "
        ".py file runs",
    )
    what.add_argument(
        "--mixture",
        type=Path,
        metavar="YAML",
        help="file that lists several tasks with their input files and weights, instead of --task and --input",
    )
    what.add_argument(
        "--table",
        type=data_file,
        metavar="FILE",
        help="table of molecules with a measured value or labels, instead of --task and --input; needs --molecule, "
        "--target and --kind, and writes the task that they stand for as NAME.task.yaml",
    )
    _add_table_flags(parser.add_argument_group("tables"))
    add = parser.add_argument
    add(
        "--input",
        nargs="+",
        type=data_file,
        default=[],
        metavar="FILE",
        help="input files, - for standard input; LABEL=FILE gives all records of a file that label, such as yes=pos.fa",
    )
    add(
        "--columns",
        action="append",
        default=[],
        metavar="FIELD=COLUMN",
        help="column of a field that is not found by its name, or its number: molecule=my_smiles,label=3",
    )
    add(
        "--only",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="use only the records with this value in a column, such as split=train or metadata.split=test; given "
        "several times, a record needs one of the values of each column",
    )
    add("--allow_code", "--allow-code", action="store_true", help=ALLOW_CODE)
    add("--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    add("--name", metavar="NAME", help="prefix of the result files (default: the name of the input or the task)")
    add("--overwrite", action="store_true", help="replace existing results")
    add(
        "--workers",
        type=up_to(MOST_WORKERS),
        metavar="N",
        help="number of encoding processes, which does not change the results (default: one per core)",
    )
    _add_model_flags(parser.add_argument_group("model"))
    _add_split_flags(parser.add_argument_group("splits"))
    _add_record_flags(parser.add_argument_group("records"))


def _add_table_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--molecule", metavar="COLUMN", help="column of SMILES")
    add("--target", metavar="COLUMN", help="column of the answers")
    add("--kind", choices=KINDS, help="what they are: a measured number, one class each, or lists of labels (a; b)")
    add("--unit", default="", metavar="UNIT", help="unit of numbers, such as nM, which cells may repeat")
    add(
        "--transform",
        choices=[name for name in TRANSFORMS if name],
        default="",
        help="what the model learns of a number: its decadic logarithm, or its negative logarithm as a concentration "
        "in mol/L, such as pIC50 (default: the number itself)",
    )
    digits = "decimals of numbers (default: as the spread of the values needs)"
    add("--digits", type=up_to(MOST_DIGITS), metavar="N", help=digits)


def _add_model_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    length = "sequence length of the model in tokens, its seq_length (default: %(default)s)"
    add("--seq_length", "--seq-length", type=up_to(1_048_576), default=_DEFAULTS.seq_length, metavar="N", help=length)
    add(
        "--tokenizer",
        type=Path,
        metavar="PATH",
        help="tokenizer folder or SentencePiece model (default: the built-in tokenizer)",
    )
    add(
        "--no_extension",
        "--no-extension",
        action="store_true",
        help="add only the published tokenizer's 98 tokens, as checkpoints that use it require",
    )
    add(
        "--loss_on_prompt",
        "--loss-on-prompt",
        action="store_true",
        help="train on prompts as well as answers (default: on answers only)",
    )
    add(
        "--pack",
        dest="packed",
        action="store_true",
        help="put several short records into one row; train with model.model_config.packed True",
    )


def _add_split_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    for name in ("eval", "test"):
        default = getattr(_DEFAULTS, f"{name}_fraction")
        text = f"share of the records to set aside as NAME_{name}, 0 to 1 (default: {default:g})"
        add(f"--{name}-fraction", f"--{name}_fraction", type=float, default=default, metavar="SHARE", help=text)
    add(
        "--split",
        choices=SPLITS,
        default=_DEFAULTS.split,
        help="which records stay in the same split: those with the same molecule or sequence, with the same molecular "
        "scaffold, or in the same cluster of sequences (default: %(default)s)",
    )
    identity = "minimum sequence identity within a cluster, above 0, at most 1 (default: %(default)s)"
    add("--identity", type=float, default=_DEFAULTS.identity, metavar="SHARE", help=identity)
    seed = "seed of splits, random SMILES, generated negatives and mixtures (default: %(default)s)"
    add("--seed", type=up_to(LARGEST_SEED), default=_DEFAULTS.seed, metavar="INT", help=seed)


def _add_record_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--policy",
        choices=POLICIES,
        default=_DEFAULTS.policy,
        help="for a record that is too long: drop it, or cut the text of its question (default: %(default)s)",
    )
    bad = group.add_mutually_exclusive_group()
    bad.add_argument(
        "--on_bad",
        "--on-bad",
        choices=ON_BAD,
        default=_DEFAULTS.on_bad,
        help="for a faulty record: stop, or skip it and list it in NAME.rejects.jsonl (default: %(default)s)",
    )
    bad.add_argument("--strict", dest="on_bad", action="store_const", const="stop", help="same as --on-bad stop")
    duplicates = "records with the same question and answer: drop all but the first, or keep (default: %(default)s)"
    add(
        "--on-conflict",
        "--on_conflict",
        choices=CONFLICTS,
        default=_DEFAULTS.on_conflict,
        help="records with the same question and different answers: keep them, keep and list them, keep those that "
        "answer like the first, or drop them all (default: as the task says, see its page)",
    )
    add(
        "--ambiguous",
        choices=AMBIGUOUS,
        default=_DEFAULTS.ambiguous,
        help="letters of a sequence that stand for several, such as N in DNA: drop the record, take the longest "
        "stretch without them, or replace them (default: %(default)s)",
    )
    add("--duplicates", choices=DUPLICATES, default=_DEFAULTS.duplicates, help=duplicates)
    add(
        "--molecules",
        choices=MOLECULES,
        default=_DEFAULTS.molecules,
        help="SMILES: take as is, check with RDKit, or check and make canonical (default: %(default)s)",
    )
    add(
        "--randomised",
        type=up_to(MOST_SPELLINGS),
        default=_DEFAULTS.randomised,
        metavar="N",
        help="add N records with random spellings of each molecule to train on (default: %(default)s)",
    )
    add("--detect", action="store_true", help="tag untagged sequences in text, and list them in NAME.detected.jsonl")
    add("--no_card", "--no-card", dest="card", action="store_false", help="do not write a data card and a histogram")


def run(args: argparse.Namespace) -> int:
    """Prepares the files and prints a summary; returns the exit status.

    Raises:
        SciMindError: The files or the flags are wrong.
    """
    from scimind.data.formats.columns import parse_columns
    from scimind.data.prepare.mixture import prepare_mixture
    from scimind.data.prepare.task_files import prepare, prepare_table
    from scimind.data.tasks.records import parse_only
    from scimind.errors import SciMindError

    whole = "--mixture" if args.mixture else "--table" if args.table else ""
    if bool(args.input) == bool(whole):
        raise SciMindError(
            f"{whole} already names the input files; leave --input out" if whole else "no input; give --input FILE"
        )
    question = _table_question(args)
    columns = parse_columns(args.columns)
    only = parse_only(args.only)
    for name, chosen in (("columns", columns), ("only", only)):
        if chosen and args.mixture:
            raise SciMindError(f"--{name} does not work with --mixture; give {name} to its tasks in the YAML file")
    if only and args.table:
        raise SciMindError("--only does not work with --table; keep the rows to use in a file of their own")
    if columns and args.table:
        raise SciMindError("--columns does not work with --table; give --molecule and --target")
    # Each flag is named after its setting.
    names = [field.name for field in fields(PrepareOptions)]
    options = PrepareOptions(**{name: value for name, value in vars(args).items() if name in names})
    codec = _load_codec(args.tokenizer, extension=not args.no_extension)
    if args.mixture:
        summary = prepare_mixture(
            args.mixture, args.output, codec=codec, options=options, name=args.name, allow_code=args.allow_code
        )
    elif question is not None:
        given = {"codec": codec, "options": options, "name": args.name}
        summary = prepare_table(question, args.table, args.output, **given)
    else:
        settings = {"codec": codec, "options": options, "name": args.name, "columns": columns, "only": only}
        summary = prepare(args.task, args.input, args.output, **settings)
    print(summary.table())
    print("\n".join(f"wrote {args.output / file}" for file in summary.files if not file.endswith(".db")))
    return 0


def _table_question(args: argparse.Namespace) -> TableQuestion | None:
    """Returns what --table asks, None without it.

    Raises:
        SciMindError: A flag is missing, or is given without --table.
    """
    from scimind.errors import SciMindError

    needed = {"--molecule": args.molecule, "--target": args.target, "--kind": args.kind}
    if args.table:
        if missing := [name for name, value in needed.items() if not value]:
            raise SciMindError(f"--table needs {', '.join(missing)}; give the columns, and the kind of answers")
        given = {name: getattr(args, name) for name in ("molecule", "target", "kind", "digits", "unit", "transform")}
        return TableQuestion(**given)
    optional = {"--unit": args.unit, "--transform": args.transform, "--digits": args.digits is not None}
    if given_without := [name for name, value in {**needed, **optional}.items() if value]:
        raise SciMindError(f"{', '.join(given_without)}: only --table has such settings; leave it out, or give --table")
    return None


def _load_codec(path: Path | None, *, extension: bool) -> TokenCodec:
    """Returns the tokenizer in a folder or a model file, or the built-in one."""
    from scimind.errors import SciMindError
    from scimind.tokenizer import TokenCodec

    if path is None or not path.is_dir():
        return TokenCodec(path, extension=extension)
    codec = TokenCodec.load(path)
    if codec.extension and not extension:
        raise SciMindError(
            f"{path} is a tokenizer with the extension; leave --no-extension out, or give its tokenizer.model"
        )
    return codec
